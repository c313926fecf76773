// image: aspect-ratio buckets: the sizes a training's pictures may have where each keeps about its shape, so that many
// have one size. The rules are those of kohya's tools (BucketManager.select_bucket, make_bucket_resolutions), so that a
// photo gets the size it had there.
#pragma once
#include <opencv2/core.hpp>
#include <vector>

namespace atelier {

struct BucketRules {
  cv::Size size{512, 512};             // px; a bucket has at most as many pixels as this
  int least_px = 256, most_px = 1024;  // of a bucket's sides; most_px is no less than the sides of `size`
  int step_px = 64;                    // sides are multiples of it
  bool no_upscale = false;             // no photo is enlarged: a small one gets a bucket of about its own size
};

// All sizes without no_upscale, sorted by width and height: the square, and for every width the largest height.
std::vector<cv::Size> bucket_sizes(const BucketRules& rules);

// The size for a picture: that of bucket_sizes() whose shape is nearest, the first of equals; with no_upscale the
// picture's own size, at most the pixels of `size`, rounded down to the step. Sides are at least one step.
cv::Size bucket_for(cv::Size picture, const BucketRules& rules);

}  // namespace atelier
