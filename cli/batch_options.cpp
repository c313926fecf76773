#include <fmt/format.h>

#include "cli/program.h"

namespace atelier::cli {

void add_batch_options(CLI::App& command, BatchOptions& options) {
  command.add_option("BATCH", options.batch, "The batch file: a pipeline, its values and tonight's customers")
      ->required();
  command.add_option("--set", options.settings, "Sets a param of the pipeline for this run; may be repeated")
      ->type_name("NAME=VALUE")
      ->take_all()
      ->expected(1);
  command.add_option("--only", options.only, "Only these customers")->type_name("CUSTOMER,…")->delimiter(',');
  command.add_option("--cache", options.cache, "Where finished work is kept [$XDG_CACHE_HOME/atelier]")
      ->type_name("DIR");
  command.add_option("--out", options.out, "Where outputs and run records go [out]")
      ->type_name("DIR")
      ->default_str("out");
  options.out = "out";
  command.add_flag("--json", options.json, "JSON for programs instead of text for people");
}

void add_example(CLI::App& command, const std::string& example) { command.footer("Example:\n  " + example); }

void print_mistakes(const Mistakes& mistakes) {
  for (const auto& mistake : mistakes) fmt::print(stderr, "{}\n", mistake.text());
  fmt::print(stderr, "{} mistake{}; nothing was run.\n", mistakes.size(), mistakes.size() == 1 ? "" : "s");
}

std::optional<Batch> read_batch(Program& program, const BatchOptions& options) {
  Settings settings;
  for (const auto& text : options.settings) {
    const auto equals = text.find('=');
    if (equals == std::string::npos) {
      fmt::print(stderr, "--set {}: expects NAME=VALUE, as in --set steps=60\n", text);
      program.exit_code = kWrongInput;
      return std::nullopt;
    }
    settings.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  auto batch = load_batch(program.files, options.batch, program.registry, settings);
  if (batch) return std::move(*batch);
  print_mistakes(batch.error());
  program.exit_code = kWrongInput;
  return std::nullopt;
}

}  // namespace atelier::cli
