// artifact: what a task showed while it ran, for the report: small PNGs, and curves of what it measured. It belongs to
// the task's result but outlives content that is kept only while it is needed: it is content like any other, under a
// key of its own that follows from the result's.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "artifact/artifact.h"
#include "artifact/store.h"

namespace atelier {

struct Preview {
  std::string name{};  // "0001_seed3", or of a photo "01.jpg/before"
  Digest digest{};     // of the PNG's bytes
  std::vector<std::byte> png{};
};

using Curve = std::map<std::int64_t, double>;  // step -> value

struct Shown {
  std::vector<Preview> previews{};  // in the order they were shown, each name once
  std::map<std::string, Curve> curves{};

  bool empty() const { return previews.empty() && curves.empty(); }
  void show(Preview preview);  // one of the same name is replaced
  const Preview* find(const std::string& name) const;

  Artifact to_artifact() const;
  static std::optional<Shown> from(const Artifact& artifact);  // empty where it is not one, whole
};

// Where the store keeps what the task of `key` showed.
Digest shown_key(const Digest& key);

// `shown` is a Shown's artifact.
Expected<void> put_shown(Store& store, const Digest& key, const Artifact& shown);
// Empty where nothing was shown, or where it is no longer there or damaged.
std::optional<Shown> get_shown(Store& store, const Digest& key);

}  // namespace atelier
