#include "cache/purge.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "artifact/shown.h"
#include "cache/digest_search.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

using Digests = std::unordered_set<Digest>;

// All digests that stand in a text as hexadecimal digits.
void add_digests_of(std::string_view text, Digests& to) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (std::size_t at = text.find_first_of(digits); at != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_not_of(digits, at), text.size());
    if (const auto digest = Digest::from_hex(text.substr(at, end - at))) to.insert(*digest);
    at = text.find_first_of(digits, end);
  }
}

class Planner {
 public:
  Planner(const std::string& customer, const LedgerRows& rows, const StoredFiles& stored, bool ownerless_too)
      : rows_(rows), stored_(stored), ownerless_too_(ownerless_too) {
    plan_.customer = customer;
  }

  PurgePlan plan(const std::function<bool(const fs::path&)>& exists) && {
    sort_keys();
    sort_files();
    sort_paths();
    sort_file_digests(exists);
    plan_.memories =
        static_cast<std::size_t>(std::ranges::count(rows_.steps, plan_.customer, &LedgerRows::Step::customer));
    const auto theirs = [&](const OwnedPath& path) { return is_theirs(path.owner); };
    plan_.known = owns_any_ || plan_.memories > 0 || std::ranges::any_of(rows_.owned_paths, theirs);
    find_own_digests();
    return std::move(plan_);
  }

 private:
  bool is_theirs(const std::string& owner) const { return !owner.empty() && customer_of(owner) == plan_.customer; }

  // Every key that the ledger or a file names, and what its task showed with it.
  std::map<Digest, std::set<std::string>> owners_of_all() const {
    std::map<Digest, std::set<std::string>> owners;
    for (const auto& [key, record] : rows_.facts.records) owners[key];
    for (const auto& [key, used] : rows_.facts.used_ns) owners[key];
    for (const auto& file : stored_.files) owners[file.key];
    for (const auto& [key, names] : rows_.facts.owners) owners[key] = names;
    for (const auto& [key, names] : rows_.facts.owners)
      if (const auto shown = owners.find(shown_key(key)); shown != owners.end() && shown->second.empty())
        shown->second = names;
    return owners;
  }

  void sort_keys() {
    for (const auto& [key, owners] : owners_of_all()) {
      std::set<std::string> others;
      for (const auto& owner : owners)
        if (!is_theirs(owner)) others.insert(customer_of(owner));
      const bool theirs = std::ranges::any_of(owners, [&](const auto& owner) { return is_theirs(owner); });
      owns_any_ = owns_any_ || theirs;
      if ((theirs && others.empty()) || (owners.empty() && ownerless_too_))
        plan_.keys.push_back(key);
      else if (theirs)
        keep(key, std::move(others));
    }
    keys_ = {plan_.keys.begin(), plan_.keys.end()};
  }

  void keep(const Digest& key, std::set<std::string> others) {
    others.erase("");  // a batch
    const auto record = rows_.facts.records.find(key);
    plan_.kept.push_back(
        {key, record == rows_.facts.records.end() ? "" : record->second.node, {others.begin(), others.end()}});
  }

  void sort_files() {
    for (const auto& file : stored_.files)
      if (keys_.contains(file.key)) plan_.files.push_back(file);
  }

  // An output is the customer's where a run said so; of runs before the ledger's format 2, where it was written from
  // what nobody else has.
  void sort_paths() {
    std::map<fs::path, bool> outputs;  // whether it is nobody else's
    std::set<fs::path> runs, others;
    for (const auto& [kind, path, owner] : rows_.owned_paths) {
      if (!is_theirs(owner))
        others.insert(path);
      else if (kind == PathKind::run)
        runs.insert(path);
      else if (kind == PathKind::output)
        outputs[path] = true;
      else
        inputs_.insert(path);
    }
    Digests kept_sources;
    for (const auto& [key, record] : rows_.facts.records)
      for (const auto& [port, output] : record.outputs)
        (keys_.contains(key) ? own_outputs_ : kept_sources).insert(output.digest);
    for (const auto& output : rows_.outputs)
      if (own_outputs_.contains(output.source) && !kept_sources.contains(output.source))
        outputs.emplace(output.path, true);
    for (const auto& path : others) {
      if (const auto found = outputs.find(path); found != outputs.end()) found->second = false;
      inputs_.erase(path);
    }
    for (const auto& [path, only_theirs] : outputs) (only_theirs ? plan_.outputs : plan_.kept_outputs).push_back(path);
    plan_.runs = {runs.begin(), runs.end()};
    others_ = std::move(others);
  }

  // Digests of the customer's inputs and outputs; those of files in a folder of the customer's name, which is all that
  // a ledger before format 2 tells; and of files that are gone, whoever had them, since nobody can need them.
  void sort_file_digests(const std::function<bool(const fs::path&)>& exists) {
    const auto below = [](const fs::path& path, const auto& folders) {
      return std::ranges::any_of(folders, [&](const fs::path& folder) { return is_at_or_below(path, folder); });
    };
    for (const auto& [path, digest] : rows_.files) {
      const bool named = std::ranges::find(path, fs::path(plan_.customer)) != path.end();
      const bool theirs = below(path, inputs_) || below(path, plan_.outputs) || (named && !below(path, others_));
      if (theirs || !exists(path)) plan_.file_digests.push_back(path);
    }
    std::ranges::sort(plan_.file_digests);
    forgotten_files_ = {plan_.file_digests.begin(), plan_.file_digests.end()};
  }

  // What is in a row that goes and in none that stays.
  void find_own_digests() {
    Digests goes(keys_), stays;
    for (const auto& [key, owners] : owners_of_all())
      if (!keys_.contains(key)) stays.insert(key);
    for (const auto& [key, record] : rows_.facts.records) {
      Digests& to = keys_.contains(key) ? goes : stays;
      for (const auto& [port, output] : record.outputs) to.insert(output.digest);
      add_digests_of(record.provenance.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), to);
    }
    for (const auto& step : rows_.steps) {
      Digests& to = step.customer == plan_.customer ? goes : stays;
      to.insert(step.key);
      add_digests_of(step.inputs, to);
    }
    const std::set<fs::path> outputs(plan_.outputs.begin(), plan_.outputs.end());
    for (const auto& output : rows_.outputs) {
      Digests& to = outputs.contains(output.path) ? goes : stays;
      to.insert(output.source);
      to.insert(output.tree);
    }
    for (const auto& file : rows_.files) (forgotten_files_.contains(file.path) ? goes : stays).insert(file.digest);
    for (const auto& digest : goes)
      if (!stays.contains(digest)) plan_.digests.insert(digest);
  }

  const LedgerRows& rows_;
  const StoredFiles& stored_;
  bool ownerless_too_;
  bool owns_any_ = false;
  PurgePlan plan_;
  Digests keys_, own_outputs_;
  std::set<fs::path> inputs_, others_, forgotten_files_;
};

Expected<void> check_unused(const PurgePlan& plan, const std::vector<LivingRun>& runs) {
  for (const auto& run : runs) {
    const bool works_for = std::ranges::find(run.customers, plan.customer) != run.customers.end();
    const bool uses = std::ranges::any_of(plan.keys, [&](const Digest& key) { return run.keys.contains(key); });
    if (works_for || uses)
      return failure(fmt::format("a run (process {}) {} {}; wait until it has ended, or stop it, and try again",
                                 run.pid, works_for ? "works for" : "uses results of", plan.customer));
  }
  return {};
}

}  // namespace

PurgePlan plan_purge(const std::string& customer, const LedgerRows& rows, const StoredFiles& stored, bool ownerless_too,
                     const std::function<bool(const fs::path&)>& exists) {
  return Planner(customer, rows, stored, ownerless_too).plan(exists);
}

Expected<std::unique_ptr<Purge>> Purge::begin(Files& files, Cache& cache, const std::string& customer) {
  auto lock = cache.leases().exclude();
  if (!lock) return tl::unexpected(lock.error());
  const auto runs = cache.leases().living();
  if (!runs) return tl::unexpected(runs.error());
  const auto rows = read_rows(cache.ledger_on_disk());
  if (!rows) return tl::unexpected(rows.error());
  const auto stored = stored_files(files, cache.folder());
  if (!stored) return tl::unexpected(stored.error());
  std::unique_ptr<Purge> purge(new Purge(files, cache, std::move(*lock)));
  // While a run goes on, a key without an owner may be one that it is about to commit.
  purge->plan_ = plan_purge(customer, *rows, *stored, runs->empty(), [&](const fs::path& path) {
    const auto stat = files.stat(path);
    return !stat || *stat;
  });
  if (auto unused = check_unused(purge->plan_, *runs); !unused) return tl::unexpected(unused.error());
  return purge;
}

Expected<void> Purge::remove_files() {
  for (const auto& file : plan_.files)
    if (auto removed = files_.remove_all(file.path); !removed) return removed;
  for (const auto& output : plan_.outputs)
    if (auto removed = remove_output(output); !removed) return removed;
  return {};
}

// With what a run that was cut off left beside it, and the customer's folders that held nothing else.
Expected<void> Purge::remove_output(const fs::path& output) {
  const std::string name = output.filename().string();
  for (const auto& path : {output, output.parent_path() / ("." + name + ".atelier-new"),
                           output.parent_path() / ("." + name + ".atelier-old")})
    if (auto removed = files_.remove_all(path); !removed) return removed;
  const auto is_theirs = [&](const fs::path& folder) {
    return std::ranges::find(folder, fs::path(plan_.customer)) != folder.end();
  };
  for (fs::path folder = output.parent_path(); is_theirs(folder); folder = folder.parent_path()) {
    const auto left = files_.list(folder);
    if (!left) {
      if (const auto stat = files_.stat(folder); stat && !*stat) continue;  // gone already
      return tl::unexpected(left.error());
    }
    if (!left->empty()) break;
    if (auto removed = files_.remove_all(folder); !removed) return removed;
  }
  return {};
}

Expected<void> Purge::forget() {
  return forget_rows(cache_.ledger_on_disk(), {plan_.customer, plan_.keys, plan_.file_digests, plan_.outputs});
}

Expected<std::vector<std::string>> Purge::traces() const {
  std::vector<std::string> sentences;
  const DigestSearch search(plan_.digests);
  for (const char* name : {"ledger.sqlite", "ledger.sqlite-wal"}) {
    const auto stat = files_.stat(cache_.folder() / name);
    if (!stat || !*stat) continue;
    const auto file = files_.read(cache_.folder() / name);
    if (!file) return tl::unexpected(file.error());
    for (const auto& digest : search.found_in((*file)->bytes()))
      sentences.push_back(fmt::format("{} still holds {}", (cache_.folder() / name).string(), digest.hex()));
  }
  const auto stored = stored_files(files_, cache_.folder());
  if (!stored) return tl::unexpected(stored.error());
  for (const auto& file : stored->files)
    if (plan_.digests.contains(file.key)) sentences.push_back(fmt::format("{} is still there", file.path.string()));
  return sentences;
}

}  // namespace atelier
