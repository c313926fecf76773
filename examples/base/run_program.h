// The way the programs of this folder end: what was asked for, what was wrong with it, what broke.
#pragma once
#include <CLI/CLI.hpp>

namespace atelier {

inline constexpr int kFailed = 1, kWrongInput = 2;

// Parses the arguments and so runs what they ask for; sentences on standard error begin with the app's name. Gives the
// exit code: 0, kWrongInput for wrong arguments and a UserError, kFailed for any other exception.
int run_program(CLI::App& app, int argc, char** argv);

}  // namespace atelier
