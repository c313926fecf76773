#include "plan/owned_paths.h"

#include <map>

#include "plan/memory.h"
#include "plan/output_state.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

fs::path plain(const fs::path& path) {
  const fs::path normal = path.lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

}  // namespace

std::vector<OwnedPath> owned_paths_of(const Plan& plan, const Batch& batch, const fs::path& out,
                                      const fs::path& run_folder) {
  const std::string place = batch_place(batch);
  const auto owner_of = [&](std::size_t customer) { return batch.customers[customer].id + "@" + place; };
  std::multimap<fs::path, const PlanInput*> opened;
  for (const auto& input : plan.inputs) opened.emplace(input.path, &input);

  std::vector<OwnedPath> paths;
  for (std::size_t i = 0; i < batch.customers.size(); ++i) {
    if (plan.by_customer[i].empty()) continue;
    paths.push_back({PathKind::run, run_folder, owner_of(i)});
    for (const auto& [name, path] : batch.customers[i].inputs) {
      const fs::path folder = plain(path);
      paths.push_back({PathKind::input, folder, owner_of(i)});
      const auto [first, last] = opened.equal_range(path);
      for (auto input = first; input != last; ++input)  // a list of photos names files that lie elsewhere
        for (const auto& file : input->second->artifact.files)
          if (!is_at_or_below(plain(file.path), folder))
            paths.push_back({PathKind::input, plain(file.path), owner_of(i)});
    }
  }
  for (const Task& task : plan.tasks) {
    if (!task.is_output || task.for_batch) continue;
    for (const auto customer : task.customers)
      paths.push_back({PathKind::output, output_location(out, task.output_path), owner_of(customer)});
  }
  return paths;
}

}  // namespace atelier
