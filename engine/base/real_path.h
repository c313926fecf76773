// base: where a path leads once its links are followed: a seam of one function.
#pragma once
#include <filesystem>
#include <functional>

namespace atelier {

using RealPath = std::function<std::filesystem::path(const std::filesystem::path&)>;

// Absolute, without links, '.' and '..'. What is not there is taken as it is written.
std::filesystem::path posix_real_path(const std::filesystem::path& path);

// Whether an absolute path is `folder` or below it, as both are written.
bool lies_in(const std::filesystem::path& path, const std::filesystem::path& folder);

}  // namespace atelier
