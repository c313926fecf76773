#include "image/model_file.h"

#include <fmt/format.h>

namespace atelier {

Expected<std::filesystem::path> verified(Files& files, const std::filesystem::path& models, const ModelFile& file) {
  const auto path = models / file.path;
  const auto bytes = files.read(path);
  if (!bytes)
    return failure(fmt::format("a model that ships with atelier is missing: {}", bytes.error().message),
                   ErrorKind::fault);
  if (sha256((*bytes)->bytes()) == file.digest()) return path;
  return failure(fmt::format("{} is not the file that ships with atelier (expected sha256 {}); restore it",
                             path.string(), file.sha256),
                 ErrorKind::fault);
}

}  // namespace atelier
