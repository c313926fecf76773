// Building a model from its weights: an account of what was taken, what is missing and what is left over.
#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "diffusion/error.h"
#include "diffusion/weight_map.h"

namespace atelier::diffusion {

/// Where a model's weights live and in what precision it computes. On the CPU that is always float32.
struct ModelOptions {
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
};

/// A model's constructor takes what it needs; then check() says what was wrong, all at once:
///
///     WeightReader reader(weights, "unet/diffusion_pytorch_model.safetensors", options);
///     Layers layers = build(config, reader);
///     if (auto ok = reader.check(); !ok) return tl::unexpected(ok.error());
class WeightReader {
 public:
  /// `origin` names the file in messages.
  WeightReader(WeightMap weights, std::string origin, ModelOptions options = {});

  /// A reader without a file: every tensor asked for is there and zero. asked() then tells what a model consists of.
  static WeightReader blank();

  bool has(const std::string& name) const { return weights_.contains(name); }

  /// The tensor in the options' dtype and on their device: the stored one itself where it suits already, a contiguous
  /// copy otherwise. Where the name is missing or its shape differs, that is noted for check() and zeros come back.
  at::Tensor take(const std::string& name, at::IntArrayRef shape);

  /// The first of the names that exists; the first name is the one reported as missing.
  at::Tensor take_any(std::initializer_list<std::string> names, at::IntArrayRef shape);

  /// As take_any(), but a tensor of the same number of elements is reshaped: old files hold the VAE's attention as 1x1
  /// convolutions.
  at::Tensor take_reshaped(std::initializer_list<std::string> names, at::IntArrayRef shape);

  /// Marks a name as known without using it: buffers that older files carry.
  void ignore(const std::string& name);

  /// An error naming the first five missing weights and how many there are, or else the first five wrong shapes.
  Result<void> check() const;

  /// Names nobody took or ignored, sorted.
  std::vector<std::string> unknown() const;

  /// Every name that was asked for, under its first name, with its shape.
  const std::map<std::string, std::vector<int64_t>>& asked() const { return asked_; }

  const ModelOptions& options() const { return options_; }

  /// What take() gives from here on: for a part that computes in another precision than the rest.
  void set_dtype(at::ScalarType dtype) { options_.dtype = dtype; }

 private:
  at::Tensor placeholder(at::IntArrayRef shape) const;

  WeightMap weights_;
  std::string origin_;
  ModelOptions options_;
  bool blank_ = false;
  std::map<std::string, std::vector<int64_t>> asked_;
  std::set<std::string> seen_;
  std::vector<std::string> missing_;
  std::vector<std::string> misshapen_;
};

/// "FILE: 7 weights are missing: a, b, c, d, e and 2 more". `names` is not empty.
std::string missing_weights(const std::string& file, const std::vector<std::string>& names);

/// "a, b, c, d, e and 2 more".
std::string first_five(const std::vector<std::string>& names);

}  // namespace atelier::diffusion
