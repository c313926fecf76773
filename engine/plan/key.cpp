#include "plan/key.h"

#include <algorithm>

#include "base/error.h"

namespace atelier {
namespace {

void encode(Encoder& encoder, const PortContent::Item& item) {
  if (item.recipe_port.empty()) {
    encoder.digest(item.digest);
  } else {
    encoder.text("made by").digest(item.digest).text(item.recipe_port);
  }
}

void encode(Encoder& encoder, const PortSpec& port, const PortContent& content) {
  if (port.many) encoder.list(content.items.size());
  for (const auto& item : content.items) encode(encoder, item);
}

}  // namespace

Digest node_digest(const NodeSpec& spec, const Params& params) {
  const auto in_key = params.in_key(spec);
  Encoder encoder;
  encoder.text("atelier node").integer(kCacheFormat).text(spec.name).integer(spec.version);
  encoder.list(in_key.size());
  for (const auto& [name, value] : in_key) value.encode(encoder.text(name));
  return encoder.finish();
}

Digest task_digest(const NodeSpec& spec, const Digest& node, std::span<const PortContent> ports) {
  Encoder encoder;
  encoder.text("atelier task").digest(node).list(spec.inputs.size());
  for (const auto& port : spec.inputs) {
    const auto found = std::ranges::find(ports, port.name, &PortContent::name);
    encoder.text(port.name);
    if (found == ports.end() || found->items.empty()) {
      encoder.absent();
    } else {
      encode(encoder, port, *found);
    }
  }
  return encoder.finish();
}

Digest task_key(const NodeSpec& spec, const Params& params, std::span<const PortContent> ports) {
  for (const auto& port : ports)
    for (const auto& item : port.items)
      if (!item.recipe_port.empty()) throw Fault("the key of a task was asked for before its inputs are known");
  return task_digest(spec, node_digest(spec, params), ports);
}

}  // namespace atelier
