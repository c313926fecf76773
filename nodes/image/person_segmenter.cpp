#include "image/person_segmenter.h"

#include <array>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "image/model_file.h"

namespace atelier {
namespace {

constexpr ModelFile sinet{"sinet/SINet.onnx", "f35b9e40a455248ddb53fcae605b7cb3f0fcebaa6aa7c6e4d76e928cfb0ce995"};
constexpr std::uint64_t network_bytes = 40'000'000;  // with its buffers

// Of the training data, for blue, green and red.
constexpr std::array<double, 3> mean{102.890434, 111.25247, 126.91212};
constexpr std::array<double, 3> deviation{62.93292, 62.82138, 66.355705};

cv::Mat normalised(const cv::Mat& rgb) {
  constexpr int side = PersonSegmenter::side_px;
  cv::Mat small;
  cv::resize(rgb, small, {side, side}, 0, 0, cv::INTER_AREA);
  cv::Mat input(side, side, CV_32FC3);
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x)
      for (int c = 0; c < 3; ++c) {
        const auto k = static_cast<std::size_t>(c);
        input.at<cv::Vec3f>(y, x)[c] =
            static_cast<float>((small.at<cv::Vec3b>(y, x)[2 - c] - mean[k]) / (deviation[k] * 255));
      }
  return cv::dnn::blobFromImage(input);  // [1, 3, 320, 320]
}

}  // namespace

PersonSegmenter::PersonSegmenter(std::filesystem::path model)
    : networks_([model = std::move(model)] {
        return std::make_unique<cv::dnn::Net>(cv::dnn::readNetFromONNX(model.string()));
      }) {}

PersonSegmenter::~PersonSegmenter() = default;

Expected<std::shared_ptr<const PersonSegmenter>> PersonSegmenter::on(Device& device, Files& files,
                                                                     const std::filesystem::path& models) {
  using Loaded = std::pair<std::shared_ptr<const PersonSegmenter>, std::uint64_t>;
  return device.resident<PersonSegmenter>(sinet.digest(), [&]() -> Expected<Loaded> {
    const auto path = verified(files, models, sinet);
    if (!path) return tl::unexpected(path.error());
    return Loaded{std::make_shared<const PersonSegmenter>(*path), network_bytes};
  });
}

cv::Mat PersonSegmenter::person_in(const cv::Mat& rgb) const {
  const cv::Mat input = normalised(rgb);
  cv::Mat logits = networks_.with([&](cv::dnn::Net& network) {
    network.setInput(input);
    return network.forward().clone();  // [1, 2, 320, 320]: not a person, a person
  });
  cv::Mat person(side_px, side_px, CV_32FC1);
  for (int y = 0; y < side_px; ++y) {
    const float* other = logits.ptr<float>(0, 0, y);
    const float* own = logits.ptr<float>(0, 1, y);
    for (int x = 0; x < side_px; ++x) person.at<float>(y, x) = 1.0F / (1.0F + std::exp(other[x] - own[x]));
  }
  return person;
}

}  // namespace atelier
