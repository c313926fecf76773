#include <fmt/format.h>

#include "cli/program.h"

namespace atelier::cli {

void add_set_option(CLI::App& command, BatchOptions& options) {
  command.add_option("--set", options.settings, "Sets a param of the pipeline for this call; may be repeated")
      ->type_name("NAME=VALUE")
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false);
}

void add_json_flag(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "JSON for programs instead of text for people");
}

void add_batch_options(CLI::App& command, BatchOptions& options) {
  command.add_option("BATCH", options.batch, "The batch file: a pipeline, its values and tonight's customers")
      ->type_name("")
      ->required();
  add_set_option(command, options);
  command.add_option("--only", options.only, "Only these customers, as in anna,ben")
      ->type_name("CUSTOMERS")
      ->delimiter(',')
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false);
  command.add_option("--cache", options.cache, "Where finished work is kept [$XDG_CACHE_HOME/atelier]")
      ->type_name("DIR");
  command.add_option("--out", options.out, "Where outputs and run records go [out]")->type_name("DIR");
  options.out = "out";
  add_json_flag(command, options.json);
}

void add_example(CLI::App& command, const std::string& example) { command.footer("Example:\n  " + example); }

void print_mistakes(const Mistakes& mistakes) {
  for (const auto& mistake : mistakes) fmt::print(stderr, "{}\n", mistake.text());
  fmt::print(stderr, "{} mistake{}; nothing was run.\n", mistakes.size(), mistakes.size() == 1 ? "" : "s");
}

Expected<Settings> settings_of(const BatchOptions& options) {
  Settings settings;
  for (const auto& text : options.settings) {
    const auto equals = text.find('=');
    if (equals == std::string::npos)
      return failure(fmt::format("--set {}: expects NAME=VALUE, as in --set steps=60", text));
    settings.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return settings;
}

std::optional<Batch> read_batch(Program& program, const BatchOptions& options) {
  program.exit_code = kWrongInput;
  const auto settings = settings_of(options);
  if (!settings) {
    fmt::print(stderr, "{}\n", settings.error().message);
    return std::nullopt;
  }
  auto batch = load_batch(program.files, options.batch, program.registry, *settings);
  if (!batch) {
    print_mistakes(batch.error());
    return std::nullopt;
  }
  program.exit_code = kSucceeded;
  return std::move(*batch);
}

}  // namespace atelier::cli
