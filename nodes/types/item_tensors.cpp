#include "types/item_tensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <filesystem>
#include <map>

namespace atelier {

std::string item_tensor_name(std::string_view kind, std::size_t index) { return fmt::format("{}/{:03}", kind, index); }

Expected<Tensor> item_tensor(const Artifact& artifact, std::string_view kind, std::size_t index, int channels) {
  const std::string name = item_tensor_name(kind, index);
  const auto found = artifact.tensors.find(name);
  if (found == artifact.tensors.end()) return failure(fmt::format("tensor {} is missing", name), ErrorKind::fault);
  const Tensor& tensor = found->second;
  const auto& shape = tensor.shape();
  const bool plane = channels == 0 && shape.size() == 2;
  const bool planes = channels > 0 && shape.size() == 3 && shape[2] == channels;
  if (tensor.dtype() == DType::u8 && (plane || planes) && shape[0] > 0 && shape[1] > 0) return tensor;
  return failure(fmt::format("tensor {} is {} [{}]; expected u8 [height, width{}]", name, name_of(tensor.dtype()),
                             fmt::join(shape, ", "), channels ? fmt::format(", {}", channels) : ""),
                 ErrorKind::fault);
}

Expected<nlohmann::json> items_of(const Artifact& artifact, std::string_view type) {
  const auto& metadata = artifact.metadata;
  const auto found = metadata.is_object() ? metadata.find("type") : metadata.end();
  if (found == metadata.end() || *found != type)
    return failure(fmt::format("the artifact is not one of type {}", type), ErrorKind::fault);
  const auto items = metadata.find("items");
  if (items == metadata.end() || !items->is_array())
    return failure(fmt::format("the {} artifact has no list of items", type), ErrorKind::fault);
  return *items;
}

std::vector<std::string> file_stems(const std::vector<std::string>& names) {
  std::vector<std::string> stems;
  std::map<std::string, int> uses;
  for (const auto& name : names) {
    stems.push_back(std::filesystem::path(name).stem().string());
    ++uses[stems.back()];
  }
  for (std::size_t i = 0; i < names.size(); ++i)
    if (uses[stems[i]] > 1) stems[i] = names[i];
  return stems;
}

}  // namespace atelier
