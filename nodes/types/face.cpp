#include "types/face.h"

#include <cmath>
#include <numbers>

namespace atelier {

nlohmann::json to_json(const Face& face) {
  auto landmarks = nlohmann::json::array();
  for (const auto& p : face.landmarks) landmarks.push_back({p.x, p.y});
  return {{"box", {face.box.x, face.box.y, face.box.width, face.box.height}},
          {"landmarks", landmarks},
          {"score", face.score},
          {"faces_found", face.faces_found}};
}

Face face_from_json(const nlohmann::json& json) {
  Face face;
  const auto& box = json.at("box");
  face.box = {box.at(0).get<double>(), box.at(1).get<double>(), box.at(2).get<double>(), box.at(3).get<double>()};
  for (std::size_t i = 0; i < face.landmarks.size(); ++i) {
    const auto& p = json.at("landmarks").at(i);
    face.landmarks[i] = {p.at(0).get<double>(), p.at(1).get<double>()};
  }
  face.score = json.at("score").get<double>();
  face.faces_found = json.at("faces_found").get<int>();
  return face;
}

double eye_line_degrees(const Face& face) {
  const Point& right = face.at(Face::right_eye);
  const Point& left = face.at(Face::left_eye);
  return std::atan2(left.y - right.y, left.x - right.x) * 180.0 / std::numbers::pi;
}

}  // namespace atelier
