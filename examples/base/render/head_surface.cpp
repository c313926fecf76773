#include "render/head_surface.h"

namespace atelier::render {
namespace {

constexpr float skull_depth = 0.84f;

}  // namespace

HeadSurface::HeadSurface(const Person& person, const Shot& shot)
    : person_(person), centre_{shot.head_x, shot.head_y}, unit_(shot.head_height / 2) {
  const Turn yaw = turn(shot.yaw), pitch = turn(shot.pitch), roll = turn(shot.roll);
  const Vec3 a{yaw.cosine, 0, yaw.sine};
  const Vec3 b{pitch.sine * -yaw.sine, pitch.cosine, pitch.sine * yaw.cosine};
  const Vec3 c{pitch.cosine * -yaw.sine, -pitch.sine, pitch.cosine * yaw.cosine};
  rows_ = {a * roll.cosine - b * roll.sine, a * roll.sine + b * roll.cosine, c};
  const float jaw_width = mix(0.68f, 0.9f, person.jaw);
  for (int i = 0; i <= steps_; ++i) {
    const float y = 2 * static_cast<float>(i) / steps_ - 1, q = y * y;
    const float round_top = std::sqrt(std::max(0.0f, 1 - q * (0.6f + 0.4f * std::fabs(y))));
    const float chin = mix(q * q, q * q * q, 0.3f + 0.5f * person.jaw);
    const float tapered = mix(1, jaw_width, rise(0, 0.85f, y)) * std::sqrt(std::max(0.0f, 1 - chin));
    const float deep = (1 - 0.1f * rise(0.2f, 1, y)) * std::sqrt(std::max(0.0f, 1 - q * q * q));
    const float least = 0.004f;  // so that the poles divide nothing by 0
    profile_[static_cast<std::size_t>(i)] = {std::max(least, person.head_width * (y < 0 ? round_top : tapered)),
                                             std::max(least, skull_depth * (y < 0 ? round_top : deep))};
  }
}

HeadSurface::Profile HeadSurface::profile(float y) const {
  const float at = share((y + 1) / 2) * steps_;
  const int i = std::min(static_cast<int>(at), steps_ - 1);
  const float t = at - static_cast<float>(i);
  const auto &low = profile_[static_cast<std::size_t>(i)], &high = profile_[static_cast<std::size_t>(i) + 1];
  return {mix(low.width, high.width, t), mix(low.depth, high.depth, t)};
}

float HeadSurface::depth_at(float x, float y) const {
  const Profile s = profile(y);
  return s.depth * std::sqrt(std::max(0.0f, 1 - squared(x / s.width)));
}

// How far the face stands out of the ellipsoid.
float HeadSurface::relief(float x, float y) const {
  const float side = std::fabs(x), tip = person_.nose_length - 0.04f, width = person_.nose_width;
  const float along = rise(-0.15f, tip, y) * rise(tip + 0.13f, tip - 0.02f, y);
  const float ridge = hill(squared(x / mix(0.09f, width * 1.05f, share(y / tip))));
  float z = 0.17f * along * ridge;
  z += 0.05f * hill(squared(x / (width * 0.75f)) + squared((y - tip) / 0.1f));                       // tip
  z += 0.045f * hill(squared((side - width * 0.8f) / 0.07f) + squared((y - tip - 0.03f) / 0.08f));   // wings
  z += 0.04f * hill(squared((side - 0.26f) / 0.3f) + squared((y + 0.2f) / 0.1f));                    // brows
  z -= 0.085f * hill(squared((side - person_.eye_spacing) / 0.24f) + squared((y + 0.01f) / 0.17f));  // eyes
  z += 0.05f * hill(squared((side - 0.4f) / 0.28f) + squared((y - 0.24f) / 0.24f));                  // cheeks
  z += 0.045f * hill(squared(x / (person_.mouth_width * 1.2f)) + squared((y - 0.62f) / 0.14f));      // lips
  z += 0.05f * hill(squared(x / 0.22f) + squared((y - 0.88f) / 0.16f));                              // chin
  return z;
}

HeadSurface::Ray HeadSurface::ray(Vec2 p) const {
  const Vec2 v = (p - centre_) * (1 / unit_);
  return {rows_[0] * v.x + rows_[1] * v.y, rows_[2]};
}

HeadSurface::Hit HeadSurface::face_at(Vec2 p, float pixel) const {
  const Ray r = ray(p);
  constexpr float farthest = 1.15f;  // of a place on the head from its middle
  if (dot(r.from, r.from) > squared(farthest)) return {};
  Vec3 q = r.from;
  Profile s;
  float forward = 0, reach = 0;
  for (int i = 0; i < 3; ++i) {  // the profile depends on the height, and that a little on how far forward the ray is
    s = profile(q.y);
    const float u = 1 / squared(s.width), v = 1 / squared(s.depth);
    const float a = r.along.x * r.along.x * u + r.along.z * r.along.z * v;
    const float b = r.from.x * r.along.x * u + r.from.z * r.along.z * v;
    const float c = r.from.x * r.from.x * u + r.from.z * r.from.z * v;
    reach = std::sqrt(std::max(0.0f, c - b * b / a));
    forward = (-b + std::sqrt(std::max(0.0f, b * b - a * (c - 1)))) / a;
    q = r.from + r.along * forward;
  }
  Hit hit;
  hit.cover = share(0.5f + (1 - reach) * s.width * unit_ / pixel);
  if (q.y < -1 || q.y > 1) hit.cover = 0;
  if (hit.cover <= 0) return hit;
  const bool front = q.z > 0.15f;
  for (int i = 0; front && i < 3; ++i) {
    forward += 0.8f * (depth_at(q.x, q.y) + relief(q.x, q.y) - q.z) / r.along.z;
    q = r.from + r.along * forward;
  }
  hit.place = q;
  const float step = 0.01f;
  const Profile below = profile(q.y + step), above = profile(q.y - step);
  const float u = squared(q.x) / (s.width * s.width * s.width), v = squared(q.z) / (s.depth * s.depth * s.depth);
  Vec3 normal =
      unit({q.x / squared(s.width), -(u * (below.width - above.width) + v * (below.depth - above.depth)) / (2 * step),
            q.z / squared(s.depth)});
  if (front) {
    const float z = relief(q.x, q.y);
    normal = unit(normal + Vec3{(z - relief(q.x + step, q.y)) / step, (z - relief(q.x, q.y + step)) / step, 0} *
                               (0.9f * std::max(0.0f, normal.z)));
  }
  hit.normal = seen(normal);
  return hit;
}

HeadSurface::Hit HeadSurface::shell_at(Vec2 p, float pixel, const Shell& shell) const {
  const Ray r = ray(p);
  const Vec3 w{1 / squared(shell.radii.x), 1 / squared(shell.radii.y), 1 / squared(shell.radii.z)};
  const Vec3 from = r.from - shell.centre;
  const auto product = [&](Vec3 a, Vec3 b) { return a.x * b.x * w.x + a.y * b.y * w.y + a.z * b.z * w.z; };
  const float a = product(r.along, r.along), b = product(from, r.along), c = product(from, from);
  const float reach = std::sqrt(std::max(0.0f, c - b * b / a));
  Hit hit;
  hit.cover = share(0.5f + (1 - reach) * std::min(shell.radii.x, shell.radii.y) * unit_ / pixel);
  if (hit.cover <= 0) return hit;
  const Vec3 q = from + r.along * ((-b + std::sqrt(std::max(0.0f, b * b - a * (c - 1)))) / a);
  hit.place = q + shell.centre;
  hit.normal = seen(unit({q.x * w.x, q.y * w.y, q.z * w.z}));
  return hit;
}

Vec2 HeadSurface::plane_at(Vec2 p, float depth) const {
  const Ray r = ray(p);
  const Vec3 q = r.from + r.along * ((depth - r.from.z) / r.along.z);
  return {q.x, q.y};
}

Vec3 HeadSurface::seen(Vec3 d) const { return {dot(rows_[0], d), dot(rows_[1], d), dot(rows_[2], d)}; }

Vec2 HeadSurface::picture_of(Vec3 place) const {
  const Vec3 v = seen(place);
  return {centre_.x + v.x * unit_, centre_.y + v.y * unit_};
}

Area HeadSurface::area(float reach) const { return around(centre_, reach * unit_, reach * unit_); }

}  // namespace atelier::render
