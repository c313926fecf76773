// cli: checks of sizes and times among the options.
#pragma once
#include <CLI/CLI.hpp>

namespace atelier::cli {

CLI::Validator a_size();
CLI::Validator an_age();
CLI::Validator a_time();

}  // namespace atelier::cli
