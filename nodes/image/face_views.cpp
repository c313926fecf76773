#include "image/face_views.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>
#include <vector>

namespace atelier {
namespace {

// Sizes and tilts are spread so that the errors of the views are not all the same one: the network places the eyes of
// one face differently by up to 3 degrees from view to view, and more in small views.
struct Views {
  std::vector<double> face_sizes_px, tilts_degrees;
};

Views views_for(Look look) {
  if (look == Look::quick) return {{36, 56, 84}, {-10, 0, 10}};
  return {{70, 100, 130}, {-8, -3, 3, 8}};
}

constexpr double view_in_faces = 2.2;        // side of a view; forehead, chin and shoulders' beginning
constexpr double disagreement_degrees = 30;  // a tilt that is off by this counts nothing
constexpr double same_place_in_faces = 0.4;

// A square view around the guess, the face `face_px` large and turned upright and then by `tilt` clockwise.
struct View {
  cv::Mat pixels;
  double scale = 1;    // px of the view in one of the picture
  double radians = 0;  // clockwise turn
};

// The surroundings that all views of one size are cut from, shrunk by area so that nothing aliases.
struct Surroundings {
  cv::Mat pixels;
  double scale_x = 1, scale_y = 1;
  Point centre;  // of the face
};

Surroundings surroundings_of(const cv::Mat& rgb, const FaceGuess& guess, double face_px) {
  const double reach = guess.side_px * view_in_faces;  // covers the view's corners at any turn
  const int left = std::clamp(cvFloor(guess.centre.x - reach), 0, rgb.cols - 1);
  const int top = std::clamp(cvFloor(guess.centre.y - reach), 0, rgb.rows - 1);
  const int right = std::clamp(cvCeil(guess.centre.x + reach), left + 1, rgb.cols);
  const int bottom = std::clamp(cvCeil(guess.centre.y + reach), top + 1, rgb.rows);
  const cv::Mat part = rgb(cv::Rect(left, top, right - left, bottom - top));
  const double scale = std::min(1.0, face_px / guess.side_px);
  const cv::Size size(std::max(1, cvRound(part.cols * scale)), std::max(1, cvRound(part.rows * scale)));
  Surroundings result;
  cv::resize(part, result.pixels, size, 0, 0, cv::INTER_AREA);
  result.scale_x = static_cast<double>(size.width) / part.cols;
  result.scale_y = static_cast<double>(size.height) / part.rows;
  result.centre = {(guess.centre.x - left + 0.5) * result.scale_x - 0.5,
                   (guess.centre.y - top + 0.5) * result.scale_y - 0.5};
  return result;
}

View view_of(const Surroundings& around, const FaceGuess& guess, double face_px, double tilt) {
  const int side = cvRound(face_px * view_in_faces);
  View view;
  view.scale = face_px / guess.side_px;
  view.radians = (guess.turn_degrees + tilt) * std::numbers::pi / 180;
  const double c = std::cos(view.radians), s = std::sin(view.radians), middle = (side - 1) / 2.0;
  const double kx = around.scale_x / view.scale, ky = around.scale_y / view.scale;
  const cv::Matx23d back(kx * c, kx * s, around.centre.x - kx * (c + s) * middle,  //
                         -ky * s, ky * c, around.centre.y - ky * (c - s) * middle);
  cv::warpAffine(around.pixels, view.pixels, back, {side, side}, cv::INTER_LINEAR | cv::WARP_INVERSE_MAP,
                 cv::BORDER_REPLICATE);
  return view;
}

// The surest upright face in the middle of the view.
std::optional<Face> face_in_middle(const View& view, const FaceDetector& detector, double face_px) {
  std::optional<Face> best;
  const double middle = (view.pixels.cols - 1) / 2.0;
  for (const auto& face : detector.faces_in(view.pixels)) {
    const double x = face.box.x + face.box.width / 2, y = face.box.y + face.box.height / 2;
    if (!stands_upright(face) || std::hypot(x - middle, y - middle) > same_place_in_faces * face_px) continue;
    if (!best || face.score > best->score) best = face;
  }
  return best;
}

// The mean of the middle half: as steady as a median, less coarse where there are few values.
double middle_of(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t skipped = values.size() / 4;
  double sum = 0;
  for (std::size_t i = skipped; i < values.size() - skipped; ++i) sum += values[i];
  return sum / static_cast<double>(values.size() - 2 * skipped);
}

// From a view's pixels to those of the picture turned by the guess alone.
Face without_tilt(const Face& face, const View& view, const FaceGuess& guess, double tilt) {
  const double a = -tilt * std::numbers::pi / 180, c = std::cos(a), s = std::sin(a);
  const double middle = (view.pixels.cols - 1) / 2.0;
  const auto place = [&](Point p) {
    const double x = (p.x - middle) / view.scale, y = (p.y - middle) / view.scale;
    return Point{guess.centre.x + c * x - s * y, guess.centre.y + s * x + c * y};
  };
  Face result = face;
  for (auto& p : result.landmarks) p = place(p);
  const double width = face.box.width / view.scale, height = face.box.height / view.scale;
  const Point centre = place({face.box.x + face.box.width / 2, face.box.y + face.box.height / 2});
  result.box = {centre.x - width / 2, centre.y - height / 2, width, height};
  return result;
}

Face middle_of(const std::vector<Face>& faces) {
  const auto of = [&](auto&& pick) {
    std::vector<double> values;
    for (const auto& face : faces) values.push_back(pick(face));
    return middle_of(std::move(values));
  };
  Face result;
  result.box = {of([](const Face& f) { return f.box.x; }), of([](const Face& f) { return f.box.y; }),
                of([](const Face& f) { return f.box.width; }), of([](const Face& f) { return f.box.height; })};
  for (std::size_t i = 0; i < result.landmarks.size(); ++i)
    result.landmarks[i] = {of([i](const Face& f) { return f.landmarks[i].x; }),
                           of([i](const Face& f) { return f.landmarks[i].y; })};
  result.score = of([](const Face& f) { return f.score; });
  return result;
}

}  // namespace

FaceEvidence look_again(const cv::Mat& rgb, const FaceDetector& detector, const FaceGuess& guess, Look look) {
  const Views views = views_for(look);
  std::vector<Face> seen;
  double sum = 0;
  for (const double face_px : views.face_sizes_px) {
    const Surroundings around = surroundings_of(rgb, guess, face_px);
    for (const double tilt : views.tilts_degrees) {
      const View view = view_of(around, guess, face_px, tilt);
      const auto face = face_in_middle(view, detector, face_px);
      if (!face) continue;
      sum += face->score * std::max(0.0, 1 - std::abs(eye_line_degrees(*face) - tilt) / disagreement_degrees);
      seen.push_back(without_tilt(*face, view, guess, tilt));
    }
  }
  FaceEvidence evidence;
  evidence.strength = sum / static_cast<double>(views.face_sizes_px.size() * views.tilts_degrees.size());
  if (!seen.empty()) evidence.face = middle_of(seen);
  return evidence;
}

}  // namespace atelier
