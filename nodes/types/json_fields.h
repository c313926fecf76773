// types: reading an artifact's metadata without trusting it. Whatever is missing or of another type is a Fault that
// names the field: the engine has verified the bytes, so another version of Atelier must have written them.
#pragma once
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "artifact/artifact.h"
#include "base/error.h"

namespace atelier {

// The Fault of an artifact that is not a well-formed one.
inline tl::unexpected<Error> malformed(std::string text) { return failure(std::move(text), ErrorKind::fault); }

// The field `name` of a JSON object as T. `what` says what the object is, as in "latents".
template <class T>
Expected<T> field(const nlohmann::json& object, std::string_view name, std::string_view what) {
  if (!object.is_object() || !object.contains(name)) return malformed(fmt::format("{}: '{}' is missing", what, name));
  try {
    return object.at(std::string(name)).get<T>();
  } catch (const nlohmann::json::exception&) {
    return malformed(fmt::format("{}: '{}' is of another type than expected", what, name));
  }
}

// A field that holds a digest in hexadecimal.
inline Expected<Digest> digest_field(const nlohmann::json& object, std::string_view name, std::string_view what) {
  const auto text = field<std::string>(object, name, what);
  if (!text) return tl::unexpected(text.error());
  const auto digest = Digest::from_hex(*text);
  if (!digest) return malformed(fmt::format("{}: '{}' is not a digest", what, name));
  return *digest;
}

// The tensor `name`, float32 and with `dimensions` dimensions.
inline Expected<Tensor> tensor_field(const Artifact& artifact, const std::string& name, std::size_t dimensions,
                                     std::string_view what) {
  const auto found = artifact.tensors.find(name);
  if (found == artifact.tensors.end()) return malformed(fmt::format("{}: the tensor '{}' is missing", what, name));
  const auto& tensor = found->second;
  if (tensor.dtype() != DType::f32 || tensor.shape().size() != dimensions)
    return malformed(fmt::format("{}: the tensor '{}' is {} with {} dimensions; f32 with {} was expected", what, name,
                                 name_of(tensor.dtype()), tensor.shape().size(), dimensions));
  return tensor;
}

}  // namespace atelier
