// plan: the key of a task: what its result depends on, and nothing else. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "graph/params.h"

namespace atelier {

// Raised when what the cache keeps under a key changes its meaning: all keys change with it.
inline constexpr std::int64_t kCacheFormat = 1;

// What arrives at a port: for a key the digests of artifacts; for a recipe, where one is not known yet, the recipe of
// the task that will make it, and its port.
struct PortContent {
  std::string_view name;
  struct Item {
    Digest digest;                 // of the artifact, or the recipe of what makes it
    std::string_view recipe_port;  // empty: `digest` is the artifact's
  };
  std::vector<Item> items;  // in the order of the list
};

// The part of a key that no input changes: cache format, node name, node version, and the in_key params with defaults
// filled in, in the order of their names. Equal for many tasks, so it is computed once for each Params.
Digest node_digest(const NodeSpec& spec, const Params& params);

// SHA-256 over the node's digest and, for every port of the spec in its order, what arrives there: absent ports are
// explicit, the order of a list counts, and a port that takes one is told from a list of one. No paths, times, names of
// steps or customers. A key where every item is an artifact's digest, otherwise a recipe; no recipe equals a key.
Digest task_digest(const NodeSpec& spec, const Digest& node, std::span<const PortContent> ports);

// The key of a task; every item of `ports` must be an artifact's digest.
Digest task_key(const NodeSpec& spec, const Params& params, std::span<const PortContent> ports);

}  // namespace atelier
