#include "cache/entries.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "artifact/shown.h"

namespace atelier {
namespace {

constexpr std::size_t kMostNamed = 4;  // of the keys that a prefix may mean

void add_file(CacheEntry& entry, const StoredFile& file) {
  switch (file.kind) {
    case StoredKind::content:
      entry.content = file;
      break;
    case StoredKind::checkpoint:
      entry.checkpoint = file;
      break;
    case StoredKind::quarantine:
      entry.quarantined.push_back(file);
      break;
  }
  entry.made_ns = std::max(entry.made_ns, file.modified_ns);
}

void add_owners(CacheEntry& entry, const std::set<std::string>& owners) {
  std::set<std::string> customers;
  for (const auto& owner : owners)
    if (owner.empty())
      entry.for_batch = true;
    else
      customers.insert(customer_of(owner));
  entry.customers = {customers.begin(), customers.end()};
}

void add_facts(CacheEntry& entry, const LedgerFacts& facts) {
  if (const auto found = facts.records.find(entry.key); found != facts.records.end()) entry.record = found->second;
  if (const auto found = facts.owners.find(entry.key); found != facts.owners.end()) add_owners(entry, found->second);
  if (const auto found = facts.steps.find(entry.key); found != facts.steps.end())
    entry.steps = {found->second.begin(), found->second.end()};
  const auto used = facts.used_ns.find(entry.key);
  entry.used_ns = used != facts.used_ns.end() ? used->second : entry.made_ns;
}

bool is_hex(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::uint64_t CacheEntry::size_bytes() const {
  std::uint64_t sum = (content ? content->size_bytes : 0) + (checkpoint ? checkpoint->size_bytes : 0);
  for (const auto& file : quarantined) sum += file.size_bytes;
  return sum;
}

std::string CacheEntry::node() const { return record ? record->node : shown_by ? "shown" : "unknown"; }

std::vector<CacheEntry> entries_of(const LedgerFacts& facts, const StoredFiles& stored) {
  std::map<Digest, CacheEntry> by_key;
  const auto entry_of = [&](const Digest& key) -> CacheEntry& {
    CacheEntry& entry = by_key[key];
    entry.key = key;
    return entry;
  };
  for (const auto& [key, record] : facts.records) entry_of(key);
  for (const auto& file : stored.files) add_file(entry_of(file.key), file);
  for (auto& [key, entry] : by_key) add_facts(entry, facts);
  // What a task showed has a key that follows from the task's.
  std::vector<std::pair<Digest, Digest>> shown;
  for (const auto& [key, entry] : by_key) shown.emplace_back(shown_key(key), key);
  for (const auto& [key, by] : shown)
    if (const auto found = by_key.find(key); found != by_key.end()) found->second.shown_by = by;
  std::vector<CacheEntry> entries;
  for (auto& [key, entry] : by_key) entries.push_back(std::move(entry));
  std::ranges::stable_sort(entries, std::ranges::greater{}, &CacheEntry::used_ns);
  return entries;
}

Expected<std::vector<CacheEntry>> list_entries(Files& files, Cache& cache) {
  const auto facts = read_facts(cache.ledger_on_disk());
  if (!facts) return tl::unexpected(facts.error());
  const auto stored = stored_files(files, cache.folder());
  if (!stored) return tl::unexpected(stored.error());
  return entries_of(*facts, *stored);
}

Expected<const CacheEntry*> find_entry(const std::vector<CacheEntry>& entries, std::string_view prefix) {
  if (!is_hex(prefix))
    return failure(
        fmt::format("'{}' is no key: expected up to 64 hexadecimal digits, as `atelier cache ls` shows them", prefix));
  std::vector<const CacheEntry*> found;
  for (const auto& entry : entries)
    if (entry.key.hex().starts_with(prefix)) found.push_back(&entry);
  if (found.size() == 1) return found.front();
  if (found.empty()) return failure(fmt::format("no key of this cache begins with '{}'", prefix));
  std::vector<std::string> some;
  for (std::size_t i = 0; i < std::min(found.size(), kMostNamed); ++i)
    some.push_back(found[i]->key.hex().substr(0, 20));
  return failure(fmt::format("{} keys begin with '{}': {}{}; give more digits", found.size(), prefix,
                             fmt::join(some, ", "), found.size() > kMostNamed ? " …" : ""));
}

}  // namespace atelier
