// render: the head as a surface that a picture's rays meet: an ellipsoid with a face's profile, and on its front the
// hills and hollows of nose, brows, eyes, cheeks and chin. Head units: the origin lies inside the head at the eyes'
// height, 1 is half the head; the crown is at y = -1, the chin at y = 1.
#pragma once
#include <array>

#include "render/canvas.h"
#include "render/person.h"
#include "render/shot.h"

namespace atelier::render {

// An ellipsoid about the head, such as hair or a beard.
struct Shell {
  Vec3 centre, radii;
};

class HeadSurface {
 public:
  HeadSurface(const Person& person, const Shot& shot);

  struct Hit {
    float cover = 0;  // how far inside the outline, over a pixel's width: 0 to 1
    Vec3 place;       // in head units
    Vec3 normal;      // as the viewer sees it
  };
  // Where the ray through a place of the picture first meets the face, or a shell; `pixel` in picture units.
  Hit face_at(Vec2 p, float pixel) const;
  Hit shell_at(Vec2 p, float pixel, const Shell& shell) const;
  // Where the ray meets the plane z = depth, in head units.
  Vec2 plane_at(Vec2 p, float depth) const;

  Vec2 picture_of(Vec3 place) const;         // in picture units
  Vec3 seen(Vec3 direction) const;           // a direction of the head as the viewer sees it
  float half_head() const { return unit_; }  // in picture units
  Area area(float reach) const;              // around the head, `reach` in head units
  float half_width_at(float y) const { return profile(y).width; }
  float depth_at(float x, float y) const;  // of the face's front without its hills

 private:
  struct Profile {
    float width = 0, depth = 0;
  };
  struct Ray {
    Vec3 from, along;  // head units; `along` points to the viewer
  };
  Profile profile(float y) const;
  Ray ray(Vec2 p) const;
  float relief(float x, float y) const;

  Person person_;
  Vec2 centre_;
  float unit_;
  std::array<Vec3, 3> rows_;  // of the rotation from head to viewer
  static constexpr int steps_ = 256;
  std::array<Profile, steps_ + 1> profile_{};
};

}  // namespace atelier::render
