#include "image/upright_face.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "image/face_views.h"
#include "image/rotation.h"

namespace atelier {
namespace {

// The network sees faces of 10 to 300 px: large faces at 320 px, small ones, where there was none, at 640 px.
constexpr int coarse_side_px = 320, fine_side_px = 640;
constexpr int directions = 8;  // looked in: the network sees faces tilted by up to some 45 degrees
constexpr double guess_score = 0.6;
constexpr std::size_t most_guesses = 10;  // looked at again; crowds have more faces than a portrait needs
constexpr double face_strength = 0.5;     // of a face; what is none has up to 0.45 on the photos it was tuned on
constexpr double body_weight = 0.4;       // of the body's place (-1 to 1) against strength
constexpr double sure_strength = 0.7, sure_body = 0.4;

double wrapped(double degrees) { return std::remainder(degrees, 360.0); }

cv::Mat shrunk(const cv::Mat& rgb, int longest_side_px, double& scale) {
  scale = std::min(1.0, static_cast<double>(longest_side_px) / std::max(rgb.cols, rgb.rows));
  cv::Mat small;
  cv::resize(rgb, small, {std::max(1, cvRound(rgb.cols * scale)), std::max(1, cvRound(rgb.rows * scale))}, 0, 0,
             cv::INTER_AREA);
  return small;
}

// The whole picture turned clockwise on a canvas that holds it; `back` takes the canvas's pixels to the picture's.
cv::Mat whole_turned(const cv::Mat& rgb, double degrees, cv::Matx23d& back) {
  const double a = degrees * std::numbers::pi / 180, c = std::cos(a), s = std::sin(a);
  const cv::Size canvas(cvCeil(std::abs(c) * rgb.cols + std::abs(s) * rgb.rows - 1e-6),
                        cvCeil(std::abs(s) * rgb.cols + std::abs(c) * rgb.rows - 1e-6));
  const double mx = (canvas.width - 1) / 2.0, my = (canvas.height - 1) / 2.0;
  back = {c, s, (rgb.cols - 1) / 2.0 - c * mx - s * my, -s, c, (rgb.rows - 1) / 2.0 + s * mx - c * my};
  cv::Mat result;
  cv::warpAffine(rgb, result, back, canvas, cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_REPLICATE);
  return result;
}

std::vector<FaceGuess> guesses_at(const cv::Mat& rgb, const FaceDetector& detector, int longest_side_px) {
  std::vector<FaceGuess> guesses;
  double scale = 1;
  const cv::Mat small = shrunk(rgb, longest_side_px, scale);
  for (int k = 0; k < directions; ++k) {
    const double degrees = 360.0 / directions * k;
    cv::Matx23d back;
    const cv::Mat canvas = whole_turned(small, degrees, back);
    for (const auto& face : detector.faces_in(canvas)) {
      if (face.score < guess_score || !stands_upright(face)) continue;
      const double x = face.box.x + face.box.width / 2, y = face.box.y + face.box.height / 2;
      FaceGuess guess;
      guess.centre = {(back(0, 0) * x + back(0, 1) * y + back(0, 2) + 0.5) / scale - 0.5,
                      (back(1, 0) * x + back(1, 1) * y + back(1, 2) + 0.5) / scale - 0.5};
      guess.side_px = std::max(face.box.width, face.box.height) / scale;
      guess.turn_degrees = wrapped(degrees - eye_line_degrees(face));
      guess.score = face.score;
      guesses.push_back(guess);
    }
  }
  std::ranges::stable_sort(guesses, std::greater{}, &FaceGuess::score);
  return guesses;
}

// A guess that was looked at again and levelled.
struct Sighting {
  FaceGuess guess;
  double strength = 0;
  std::optional<double> body{};  // body_below(), where it was asked for

  // Beyond doubt: no other direction needs to be looked at.
  bool sure() const { return strength >= sure_strength && body.value_or(-1) >= sure_body; }
};

bool same_place(const FaceGuess& a, const FaceGuess& b) {
  return std::hypot(a.centre.x - b.centre.x, a.centre.y - b.centre.y) < 0.5 * std::max(a.side_px, b.side_px);
}

bool same_direction(const FaceGuess& a, const FaceGuess& b, double within_degrees) {
  return std::abs(wrapped(a.turn_degrees - b.turn_degrees)) < within_degrees;
}

Point centre_of(const Box& box) { return {box.x + box.width / 2, box.y + box.height / 2}; }

// The guess moved and turned to where the face was seen, in the picture turned by the guess.
FaceGuess corrected(const FaceGuess& guess, const Face& seen) {
  FaceGuess better = guess;
  better.centre = turned(centre_of(seen.box), guess.centre, -guess.turn_degrees);
  better.side_px = std::max(seen.box.width, seen.box.height);
  better.turn_degrees = wrapped(guess.turn_degrees - eye_line_degrees(seen));
  return better;
}

// The guess corrected by what its views show, until what is left is within their noise.
Sighting levelled(const cv::Mat& rgb, const FaceDetector& detector, FaceGuess guess) {
  constexpr int most_rounds = 3;
  constexpr double noise_degrees = 4;
  constexpr double hopeless_strength = 0.3;
  Sighting best{guess, 0};
  for (int round = 0; round < most_rounds; ++round) {
    const FaceEvidence evidence = look_again(rgb, detector, guess, Look::quick);
    if (evidence.strength > best.strength) best = {guess, evidence.strength};
    if (!evidence.face || evidence.strength < hopeless_strength) break;
    const double left = eye_line_degrees(*evidence.face);
    guess = corrected(guess, *evidence.face);
    if (std::abs(left) <= noise_degrees) {
      best.guess = guess;
      break;
    }
  }
  return best;
}

// Person below the face less person above it, -1 to 1, in the direction that the sighting calls down.
double body_below(const cv::Mat& rgb, const PersonSegmenter& segmenter, const FaceGuess& guess) {
  cv::Matx23d back;
  double scale = 1;
  const cv::Mat canvas = whole_turned(shrunk(rgb, coarse_side_px, scale), guess.turn_degrees, back);
  const cv::Mat person = segmenter.person_in(canvas);
  cv::Matx33d forth(back(0, 0), back(0, 1), back(0, 2), back(1, 0), back(1, 1), back(1, 2), 0, 0, 1);
  forth = forth.inv();
  const double a = guess.turn_degrees * std::numbers::pi / 180;
  const auto person_at = [&](double across, double down) {  // in faces from the face's centre
    const double px = guess.centre.x + guess.side_px * (across * std::cos(a) + down * std::sin(a));
    const double py = guess.centre.y + guess.side_px * (-across * std::sin(a) + down * std::cos(a));
    const cv::Vec3d p = forth * cv::Vec3d(px * scale, py * scale, 1);
    const int x = std::clamp(cvRound(p[0] / canvas.cols * person.cols), 0, person.cols - 1);
    const int y = std::clamp(cvRound(p[1] / canvas.rows * person.rows), 0, person.rows - 1);
    return static_cast<double>(person.at<float>(y, x));
  };
  double sum = 0;
  int places = 0;
  for (double down = 0.9; down < 2; down += 0.1)
    for (double across = -0.8; across < 0.9; across += 0.2, ++places)
      sum += person_at(across, down) - person_at(across, -down);
  return sum / places;
}

std::vector<Sighting> sightings_of(const cv::Mat& rgb, const FaceDetector& detector, const PersonSegmenter& segmenter,
                                   const std::vector<FaceGuess>& guesses) {
  constexpr double one_direction_degrees = 25;
  std::vector<Sighting> sightings;
  std::size_t looked = 0;
  for (const auto& guess : guesses) {
    const bool known = std::ranges::any_of(sightings, [&](const Sighting& s) {
      return same_place(s.guess, guess) && (s.sure() || same_direction(s.guess, guess, one_direction_degrees));
    });
    if (known || looked++ == most_guesses) continue;
    Sighting sighting = levelled(rgb, detector, guess);
    if (sighting.strength < face_strength) continue;
    if (sighting.strength >= sure_strength) sighting.body = body_below(rgb, segmenter, sighting.guess);
    sightings.push_back(sighting);
  }
  return sightings;
}

// One sighting for each face: at each place the direction that strength and body speak for, and of the places those
// that are about as credible as the best. A face printed on a shirt is weaker and has a person above it too.
std::vector<Sighting> faces_among(const cv::Mat& rgb, const PersonSegmenter& segmenter,
                                  std::vector<Sighting> sightings) {
  constexpr double as_credible = 0.3;
  if (sightings.size() == 1) return sightings;
  for (auto& s : sightings)
    if (!s.body) s.body = body_below(rgb, segmenter, s.guess);
  const auto weight = [](const Sighting& s) { return s.strength + body_weight * *s.body; };
  std::ranges::stable_sort(sightings, std::greater{}, weight);
  const double least = weight(sightings.front()) - as_credible;
  std::vector<Sighting> faces;
  for (const auto& sighting : sightings)
    if (weight(sighting) >= least &&
        std::ranges::none_of(faces, [&](const Sighting& f) { return same_place(f.guess, sighting.guess); }))
      faces.push_back(sighting);
  return faces;
}

// Where the face of a sighting lies exactly.
UprightFace measured(const cv::Mat& rgb, const FaceDetector& detector, FaceGuess guess) {
  constexpr double worth_another_look_degrees = 1.5;
  for (int round = 0;; ++round) {
    const auto seen = look_again(rgb, detector, guess, Look::precise).face;
    if (!seen) break;
    const double left = eye_line_degrees(*seen);
    if (round > 0 || std::abs(left) <= worth_another_look_degrees)
      return {wrapped(guess.turn_degrees - left), guess.centre, turned(*seen, guess.centre, -left)};
    guess = corrected(guess, *seen);
  }
  // Seen small and not large: the quick look's view is what there is.
  const auto seen = look_again(rgb, detector, guess, Look::quick).face.value_or(Face{});
  const double left = eye_line_degrees(seen);
  return {wrapped(guess.turn_degrees - left), guess.centre, turned(seen, guess.centre, -left)};
}

}  // namespace

std::optional<UprightFace> find_upright_face(const cv::Mat& rgb, const FaceDetector& detector,
                                             const PersonSegmenter& segmenter) {
  auto sightings = sightings_of(rgb, detector, segmenter, guesses_at(rgb, detector, coarse_side_px));
  if (sightings.empty()) sightings = sightings_of(rgb, detector, segmenter, guesses_at(rgb, detector, fine_side_px));
  if (sightings.empty()) return std::nullopt;

  const auto faces = faces_among(rgb, segmenter, std::move(sightings));
  const auto largest = std::ranges::max_element(faces, {}, [](const Sighting& s) { return s.guess.side_px; });
  auto result = measured(rgb, detector, largest->guess);
  result.face.faces_found = static_cast<int>(faces.size());
  return result;
}

}  // namespace atelier
