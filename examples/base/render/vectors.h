// render: small vectors, colours and curves. Only + - * / sqrt and floor, which IEEE 754 rounds alike everywhere: the C
// library's sin, exp and pow differ in the last bit between processors.
#pragma once
#include <algorithm>
#include <cmath>

namespace atelier::render {

struct Vec2 {
  float x = 0, y = 0;
};
inline Vec2 operator+(Vec2 a, Vec2 b) { return {a.x + b.x, a.y + b.y}; }
inline Vec2 operator-(Vec2 a, Vec2 b) { return {a.x - b.x, a.y - b.y}; }
inline Vec2 operator*(Vec2 a, float f) { return {a.x * f, a.y * f}; }
inline float dot(Vec2 a, Vec2 b) { return a.x * b.x + a.y * b.y; }
inline float length(Vec2 a) { return std::sqrt(dot(a, a)); }

// x to the right, y down, z towards the viewer.
struct Vec3 {
  float x = 0, y = 0, z = 0;
};
inline Vec3 operator+(Vec3 a, Vec3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
inline Vec3 operator-(Vec3 a, Vec3 b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
inline Vec3 operator*(Vec3 a, float f) { return {a.x * f, a.y * f, a.z * f}; }
inline float dot(Vec3 a, Vec3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline Vec3 unit(Vec3 a) { return a * (1.0f / std::sqrt(std::max(dot(a, a), 1e-12f))); }

// Linear light, 1 is white. The picture's values are its square roots (a gamma of 2).
struct Rgb {
  float r = 0, g = 0, b = 0;
};
inline Rgb operator+(Rgb a, Rgb b) { return {a.r + b.r, a.g + b.g, a.b + b.b}; }
inline Rgb operator*(Rgb a, Rgb b) { return {a.r * b.r, a.g * b.g, a.b * b.b}; }
inline Rgb operator*(Rgb a, float f) { return {a.r * f, a.g * f, a.b * f}; }
inline Rgb mix(Rgb a, Rgb b, float t) { return a * (1 - t) + b * t; }
// From a colour as it is written, 0xRRGGBB.
constexpr Rgb rgb(unsigned hex) {
  const float r = static_cast<float>(hex >> 16 & 255) / 255, g = static_cast<float>(hex >> 8 & 255) / 255,
              b = static_cast<float>(hex & 255) / 255;
  return {r * r, g * g, b * b};
}
inline float luma(Rgb c) { return 0.2126f * c.r + 0.7152f * c.g + 0.0722f * c.b; }  // ITU-R BT.709

inline float within(float x, float low, float high) { return std::min(std::max(x, low), high); }
inline float share(float x) { return within(x, 0, 1); }
inline float mix(float a, float b, float t) { return a + (b - a) * t; }
// 0 below `from`, 1 above `to`, smooth between; falls where from > to.
inline float rise(float from, float to, float x) {
  const float t = share((x - from) / (to - from));
  return t * t * (3 - 2 * t);
}
// A smooth hill: 1 at 0, 0 from a distance of 1 on.
inline float hill(float squared_distance) {
  const float t = std::max(0.0f, 1 - squared_distance);
  return t * t;
}
inline float squared(float x) { return x * x; }
// x^(2^n)
inline float power2(float x, int n) {
  for (int i = 0; i < n; ++i) x *= x;
  return x;
}
// std::floor without a call into the C library; |x| below 2^31.
inline float floored(float x) {
  const float whole = static_cast<float>(static_cast<int>(x));
  return whole > x ? whole - 1 : whole;
}
// A wave of period 1 and height 1, sine-like: made of parabolas.
inline float wave(float t) {
  const float u = 2 * (t - floored(t)) - 1;
  return 4 * u * (std::fabs(u) - 1);
}
// Sine and cosine of an angle of -90 to 90 degrees; Taylor's polynomials, to 1e-6.
struct Turn {
  float sine = 0, cosine = 1;
};
inline Turn turn(float degrees) {
  const double a = degrees * 0.017453292519943295, q = a * a;
  return {static_cast<float>(a * (1 - q / 6 * (1 - q / 20 * (1 - q / 42 * (1 - q / 72))))),
          static_cast<float>(1 - q / 2 * (1 - q / 12 * (1 - q / 30 * (1 - q / 56 * (1 - q / 90)))))};
}

}  // namespace atelier::render
