// types: a face as the detector saw it, in pixel coordinates of the image it travels with.
#pragma once
#include <array>
#include <nlohmann/json.hpp>

namespace atelier {

struct Point {
  double x = 0, y = 0;  // px; (0, 0) is the centre of the top left pixel
  bool operator==(const Point&) const = default;
};

struct Box {
  double x = 0, y = 0;  // px, of the top left corner
  double width = 0, height = 0;
  bool operator==(const Box&) const = default;
};

struct Face {
  // Of the person's own right and left: in a picture from the front the right eye is on the left.
  enum Landmark { right_eye, left_eye, nose, right_mouth, left_mouth };

  Box box;
  std::array<Point, 5> landmarks{};
  double score = 0;     // the detector's, 0 to 1
  int faces_found = 1;  // in the photo, this one among them

  const Point& at(Landmark which) const { return landmarks[which]; }
  bool operator==(const Face&) const = default;
};

nlohmann::json to_json(const Face& face);
Face face_from_json(const nlohmann::json& json);  // throws nlohmann::json::exception where it is none

// The angle of the line from the person's right to the left eye in degrees, -180 to 180; 0 is upright and level,
// positive is clockwise as seen.
double eye_line_degrees(const Face& face);

}  // namespace atelier
