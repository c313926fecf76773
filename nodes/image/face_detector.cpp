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

// The network sees faces of 10 to 300 px. A first look at 320 px finds those that fill the picture, which at 640 px
// would be split into several; a second one at 640 px all others.
constexpr int coarse_side_px = 320, fine_side_px = 640;
constexpr double fills_the_picture = 0.42;  // of the longer side: 135 px at the coarse look, 270 at the fine one

constexpr float least_score = 0.7F, overlap_of_one_face = 0.3F;
constexpr int most_faces = 100;

double area(const Face& face) { return face.box.width * face.box.height; }

Face face_of_row(const float* row, double scale) {
  const auto place = [&](int i) { return Point{(row[i] + 0.5) * scale - 0.5, (row[i + 1] + 0.5) * scale - 0.5}; };
  Face face;
  const Point corner = place(0);
  face.box = {corner.x, corner.y, row[2] * scale, row[3] * scale};
  for (int i = 0; i < 5; ++i) face.landmarks[static_cast<std::size_t>(i)] = place(4 + 2 * i);
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
            model.string(), "", {fine_side_px, fine_side_px}, least_score, overlap_of_one_face, most_faces));
      }) {}

Expected<std::shared_ptr<const FaceDetector>> FaceDetector::on(Device& device, Files& files,
                                                               const std::filesystem::path& models) {
  using Loaded = std::pair<std::shared_ptr<const FaceDetector>, std::uint64_t>;
  return device.resident<FaceDetector>(yunet.digest(), [&]() -> Expected<Loaded> {
    const auto path = verified(files, models, yunet);
    if (!path) return tl::unexpected(path.error());
    return Loaded{std::make_shared<const FaceDetector>(*path), network_bytes};
  });
}

std::vector<Face> FaceDetector::faces_at(const cv::Mat& rgb, int longest_side_px) const {
  const double scale = std::max(1.0, static_cast<double>(std::max(rgb.cols, rgb.rows)) / longest_side_px);
  const cv::Size size(std::max(1, cvRound(rgb.cols / scale)), std::max(1, cvRound(rgb.rows / scale)));
  cv::Mat small, bgr;
  cv::resize(rgb, small, size, 0, 0, cv::INTER_AREA);
  cv::cvtColor(small, bgr, cv::COLOR_RGB2BGR);
  const cv::Mat rows = networks_.with([&](cv::Ptr<cv::FaceDetectorYN>& network) {
    cv::Mat found;
    network->setInputSize(size);
    network->detect(bgr, found);
    return found;
  });
  std::vector<Face> faces;
  for (int i = 0; i < rows.rows; ++i) {
    const Face face = face_of_row(rows.ptr<float>(i), scale);
    if (stands_upright(face)) faces.push_back(face);
  }
  std::ranges::stable_sort(faces, std::greater{}, area);
  for (auto& face : faces) face.faces_found = static_cast<int>(faces.size());
  return faces;
}

std::vector<Face> FaceDetector::faces_in(const cv::Mat& rgb) const {
  auto coarse = faces_at(rgb, coarse_side_px);
  const double longest = std::max(rgb.cols, rgb.rows);
  if (!coarse.empty() && std::max(coarse[0].box.width, coarse[0].box.height) >= fills_the_picture * longest)
    return coarse;
  return faces_at(rgb, fine_side_px);
}

}  // namespace atelier
