// `atelier purge CUSTOMER`: a customer forgotten.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <set>

#include "base/amounts.h"
#include "cache/purge.h"
#include "cli/cache_commands.h"
#include "cli/printable.h"
#include "cli/run_report.h"
#include "report/forget_customer.h"
#include "report/text.h"

namespace atelier::cli {
namespace fs = std::filesystem;
namespace {

struct PurgeOptions {
  std::string customer;
  fs::path cache;
  std::vector<fs::path> outs;
  bool yes = false;
};

int fail(const Error& error) {
  fmt::print(stderr, "atelier purge: {}\n", error.message);
  return kWrongInput;
}

// The runs that the ledger names, and those of the --out folders.
Expected<std::set<fs::path>> runs_of(Program& program, const PurgePlan& plan, const std::vector<fs::path>& outs) {
  std::set<fs::path> runs(plan.runs.begin(), plan.runs.end());
  for (const auto& out : outs) {
    const fs::path folder = fs::absolute(out).lexically_normal() / "runs";
    const auto names = program.files.list(folder);
    if (!names) return tl::unexpected(names.error());
    for (const auto& name : *names) runs.insert(folder / name);
  }
  return runs;
}

void print_plan(const PurgePlan& plan) {
  std::uint64_t bytes = 0;
  for (const auto& file : plan.files) bytes += file.size_bytes;
  fmt::print("{}: {} in the cache ({}, {}), {}, {}\n", printable(plan.customer),
             plural(plan.keys.size(), "key", "keys"), plural(plan.files.size(), "file", "files"), show_bytes(bytes),
             plural(plan.outputs.size(), "output", "outputs"), plural(plan.runs.size(), "run", "runs"));
  for (const auto& output : plan.outputs) fmt::print("  {}\n", printable(output.string()));
}

void print_kept(const PurgePlan& plan) {
  for (const auto& kept : plan.kept)
    fmt::print("kept: {} {}, which {} too\n", kept.node, kept.key.brief(),
               kept.customers.empty()
                   ? "a whole batch owns"
                   : fmt::format("{} own{}", fmt::join(kept.customers, ", "), kept.customers.size() == 1 ? "s" : ""));
  for (const auto& output : plan.kept_outputs)
    fmt::print("kept: {}, which is others' too\n", printable(output.string()));
}

// A run's report again, without the customer. Its cache may be gone; then without pictures.
Expected<void> write_page_again(Program& program, const fs::path& run, Cache& cache) {
  const auto report = read_run(program.files, run);
  if (!report) return tl::unexpected(report.error());
  const auto page = write_run_report(program, *report, run, &cache.store());
  if (!page) return tl::unexpected(page.error());
  return {};
}

// How many runs told of the customer.
Expected<std::size_t> forget_runs(Program& program, const std::set<fs::path>& runs, const std::string& customer) {
  std::size_t count = 0;
  for (const auto& run : runs) {
    const auto forgotten = forget_customer(program.files, run, customer);
    if (!forgotten) return tl::unexpected(forgotten.error());
    count += forgotten->lines > 0 ? 1U : 0U;
  }
  return count;
}

// Pages that were removed are made again when the pictures that only the customer had are gone.
Expected<void> write_pages(Program& program, const std::set<fs::path>& runs, Cache& cache) {
  for (const auto& run : runs) {
    const auto record = program.files.stat(run / "events.jsonl"), page = program.files.stat(run / "report.html");
    if (!record || !*record || !page || *page) continue;
    if (auto written = write_page_again(program, run, cache); !written) return written;
  }
  return {};
}

int show_that_nothing_is_left(const Purge& purge) {
  const auto traces = purge.traces();
  if (!traces) return fail(traces.error());
  for (const auto& trace : *traces) fmt::print("LEFT: {}\n", trace);
  if (!traces->empty()) return kSomeFailed;
  fmt::print("none of the {} that only {} had is left in the cache\n",
             plural(purge.plan().digests.size(), "digest", "digests"), printable(purge.plan().customer));
  return kSucceeded;
}

int purge_it(Program& program, const PurgeOptions& options) {
  const auto cache = open_existing_cache(program, options.cache);
  if (!cache) return program.exit_code;
  const auto purge = Purge::begin(program.files, *cache, options.customer);
  if (!purge) return fail(purge.error());
  const PurgePlan& plan = (*purge)->plan();
  const auto runs = runs_of(program, plan, options.outs);
  if (!runs) return fail(runs.error());
  if (plan.known) {
    print_plan(plan);
    print_kept(plan);
  }
  if (!options.yes) {
    fmt::print("{}: nothing was deleted yet; --yes deletes it\n", printable(options.customer));
    return kWrongInput;
  }
  const auto told = forget_runs(program, *runs, options.customer);
  if (!told) return fail(told.error());
  if (!plan.known && *told == 0) {
    fmt::print("{}: nothing is here\n", printable(options.customer));
    return kSucceeded;
  }
  auto done = (*purge)->remove_files();
  if (done) done = (*purge)->forget();
  if (done) done = write_pages(program, *runs, *cache);
  if (!done) return fail(done.error());
  fmt::print("deleted; {} told of {} and tell{} no more\n", plural(*told, "run", "runs"), printable(options.customer),
             *told == 1 ? "s" : "");
  return show_that_nothing_is_left(**purge);
}

}  // namespace

void add_purge_command(CLI::App& app, Program& program) {
  auto* command = app.add_subcommand(
      "purge", "Forget a customer: results, outputs, run records and all that the ledger remembers of nobody else");
  auto options = std::make_shared<PurgeOptions>();
  command->add_option("CUSTOMER", options->customer, "The customer's id, in whatever batch")->type_name("")->required();
  add_cache_option(*command, options->cache);
  command
      ->add_option(
          "--out", options->outs,
          "An --out folder whose runs are looked through too, beside those that the ledger names; may be repeated")
      ->type_name("DIR")
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false);
  command->add_flag("--yes", options->yes, "Delete; without it, only what would go is told");
  add_example(*command, "atelier purge anna --cache out/cache --out out/night --yes");
  command->callback([&program, options] { program.exit_code = purge_it(program, *options); });
}

}  // namespace atelier::cli
