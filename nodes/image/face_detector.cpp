#include "image/face_detector.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

#include "image/model_file.h"

namespace atelier {
namespace {

constexpr ModelFile yunet{"yunet/face_detection_yunet_2022mar.onnx",
                          "50ef07f702a31741ca46a4c0d947773b64143b9362780237bf0d427d6c79bab7"};
constexpr std::uint64_t network_bytes = 32'000'000;  // with its buffers at 640 px

constexpr float least_score = 0.3F, overlap_of_one_face = 0.3F;
constexpr int most_faces = 100;
constexpr int least_side_px = 64;  // below it a layer of the network has no pixels left, and OpenCV throws

Face face_of_row(const float* row) {
  Face face;
  face.box = {row[0], row[1], row[2], row[3]};
  for (std::size_t i = 0; i < 5; ++i) face.landmarks[i] = {row[4 + 2 * i], row[5 + 2 * i]};
  face.score = row[14];
  return face;
}

}  // namespace

bool stands_upright(const Face& face) {
  const Point &right = face.at(Face::right_eye), &left = face.at(Face::left_eye);
  const Point &right_mouth = face.at(Face::right_mouth), &left_mouth = face.at(Face::left_mouth);
  constexpr double steepest_degrees = 60;
  return right.y + left.y < right_mouth.y + left_mouth.y && std::abs(eye_line_degrees(face)) <= steepest_degrees;
}

FaceDetector::FaceDetector(std::filesystem::path model)
    : networks_([model = std::move(model)] {
        return std::make_unique<cv::Ptr<cv::FaceDetectorYN>>(cv::FaceDetectorYN::create(
            model.string(), "", {least_side_px, least_side_px}, least_score, overlap_of_one_face, most_faces));
      }) {}

FaceDetector::~FaceDetector() = default;

Expected<std::shared_ptr<const FaceDetector>> FaceDetector::on(Device& device, Files& files,
                                                               const std::filesystem::path& models) {
  using Loaded = std::pair<std::shared_ptr<const FaceDetector>, std::uint64_t>;
  return device.resident<FaceDetector>(yunet.digest(), [&]() -> Expected<Loaded> {
    const auto path = verified(files, models, yunet);
    if (!path) return tl::unexpected(path.error());
    return Loaded{std::make_shared<const FaceDetector>(*path), network_bytes};
  });
}

std::vector<Face> FaceDetector::faces_in(const cv::Mat& rgb) const {
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  cv::copyMakeBorder(bgr, bgr, 0, std::max(0, least_side_px - bgr.rows), 0, std::max(0, least_side_px - bgr.cols),
                     cv::BORDER_REPLICATE);
  const cv::Mat rows = networks_.with([&](cv::Ptr<cv::FaceDetectorYN>& network) {
    cv::Mat found;
    network->setInputSize(bgr.size());
    network->detect(bgr, found);
    return found;
  });
  std::vector<Face> faces;
  for (int i = 0; i < rows.rows; ++i) faces.push_back(face_of_row(rows.ptr<float>(i)));
  return faces;
}

}  // namespace atelier
