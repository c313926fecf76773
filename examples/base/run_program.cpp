#include "run_program.h"

#include <fmt/format.h>

#include "base/error.h"

namespace atelier {

int run_program(CLI::App& app, int argc, char** argv) try {
  app.parse(argc, argv);
  return 0;
} catch (const CLI::Success& asked) {  // --help
  return app.exit(asked);
} catch (const CLI::ParseError& error) {
  fmt::print(stderr, "{0}: {1}\nTry '{0} --help'.\n", app.get_name(), error.what());
  return kWrongInput;
} catch (const UserError& error) {
  fmt::print(stderr, "{}: {}\n", app.get_name(), error.what());
  return kWrongInput;
} catch (const std::exception& error) {
  fmt::print(stderr, "{}: {}\n", app.get_name(), error.what());
  return kFailed;
}

}  // namespace atelier
