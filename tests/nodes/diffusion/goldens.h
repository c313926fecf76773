// Reference values of the peers' libraries, and how close is close.
#pragma once

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "diffusion/safetensors.h"

namespace atelier::diffusion::test {

/// The folder that an environment variable names; empty where it is not set or not there.
inline std::filesystem::path folder_of(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && std::filesystem::is_directory(value) ? value : "";
}

/// All tensors of a file; a test that cannot read its goldens has failed.
inline WeightMap read_all(const std::filesystem::path& path) {
  auto file = Safetensors::open(path);
  if (!file) {
    ADD_FAILURE() << file.error().message;
    return {};
  }
  auto tensors = file->tensors();
  if (!tensors) ADD_FAILURE() << tensors.error().message;
  return tensors.value_or(WeightMap{});
}

/// Whether every element is within `tolerance` of the wanted one; says the largest difference if not.
inline testing::AssertionResult near(const at::Tensor& got, const at::Tensor& want, double tolerance) {
  if (got.sizes() != want.sizes()) {
    return testing::AssertionFailure() << "shape " << got.sizes() << ", wanted " << want.sizes();
  }
  const double largest = (got.to(at::kDouble) - want.to(at::kDouble)).abs().max().item<double>();
  if (largest <= tolerance) return testing::AssertionSuccess();  // false for NaN too
  return testing::AssertionFailure() << "differs by " << largest << ", tolerance " << tolerance;
}

/// Runs tests/python/SCRIPT with the Python of the environment that ATELIER_VENV names; whether it ended well.
inline bool run_python(const std::string& script, const std::vector<std::filesystem::path>& arguments) {
  std::string command = "'" + (folder_of("ATELIER_VENV") / "bin/python").string() + "' '" +
                        (std::filesystem::path(ATELIER_SOURCE_DIR) / "tests/python" / script).string() + "'";
  for (const auto& argument : arguments) command += " '" + argument.string() + "'";
  return std::system(command.c_str()) == 0;
}

}  // namespace atelier::diffusion::test

#define ATELIER_REQUIRE_VENV()                                       \
  if (::atelier::diffusion::test::folder_of("ATELIER_VENV").empty()) \
  GTEST_SKIP() << "ATELIER_VENV is not set to a Python environment with diffusers"

/// Peers' suites skip, saying so, where their folder is not given.
#define ATELIER_REQUIRE_PEERS(folder)                                                          \
  const std::filesystem::path folder = ::atelier::diffusion::test::folder_of("ATELIER_PEERS"); \
  if (folder.empty()) GTEST_SKIP() << "ATELIER_PEERS is not set to the folder of the peers' reference values"
