// graph: a node, a kind of step. Constant, stateless and called from many threads.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.h"
#include "artifact/port_type.h"
#include "artifact/store.h"
#include "graph/context.h"
#include "graph/device.h"
#include "graph/node_spec.h"
#include "graph/params.h"

namespace atelier {

using Inputs =
    std::map<std::string, std::vector<Artifact>, std::less<>>;  // by port; a port that is absent has no entry

// One task's inputs, valid until run() returns.
struct Job {
  const Inputs& inputs;
  const Params& params;
  Context& context;

  const Artifact& input(std::string_view port) const { return inputs.find(port)->second.front(); }
  const std::vector<Artifact>& input_list(std::string_view port) const;  // empty where absent
  bool has(std::string_view port) const { return inputs.contains(port); }
};

// What is known of a task's inputs without opening them.
struct InputInfo {
  std::map<std::string, std::uint64_t> size_bytes;  // by port, 0 where not known yet
  std::map<std::string, std::size_t> sources;       // by port, how many are connected
  // The pipeline's inputs that reach a port, directly or through recipes, which only refer to them: FileRefs alone.
  std::map<std::string, std::vector<const Artifact*>> inputs;
};

struct Needs {
  std::uint64_t memory_bytes = 0;         // of the host, 0: not known
  std::uint64_t device_memory_bytes = 0;  // of the device, which on a logical CPU device is the host too; 0: not known
  int threads = 1;
  double seconds = 1;  // a guess; only orders tasks
};

class Node {
 public:
  virtual ~Node() = default;
  virtual const NodeSpec& spec() const = 0;
  virtual Needs needs(const Params&, const InputInfo&) const { return {}; }
  // What the spec cannot say, told before anything runs: lists that must be of one length, params that exclude each
  // other. `list_sizes` has the number of sources connected to each port. Each text is one sentence.
  virtual std::vector<std::string> check(const Params&, const std::map<std::string, std::size_t>&) const { return {}; }
  // One result per job, in order. A failure of one job is that job's. Throws nothing but what is a Fault.
  virtual std::vector<Expected<Outputs>> run(std::span<Job> jobs, Device& device) const = 0;
};

// Base of the nodes that do one job at a time: run() calls `run_one` for each.
class SingleNode : public Node {
 public:
  std::vector<Expected<Outputs>> run(std::span<Job> jobs, Device& device) const final;
  virtual Expected<Outputs> run_one(const Job& job, Device& device) const = 0;
};

// All nodes and port types of a program; filled once by one function and passed on.
class NodeRegistry {
 public:
  void add(std::unique_ptr<const Node> node);  // Fault: the name is taken, a port's type is unknown
  void add_type(std::shared_ptr<const PortType> type);
  const Node* find(std::string_view name) const;
  const PortType* find_type(std::string_view name) const;
  std::vector<std::string> names() const;       // sorted
  std::vector<std::string> type_names() const;  // sorted

 private:
  std::map<std::string, std::unique_ptr<const Node>, std::less<>> nodes_;
  PortTypes types_;
};

}  // namespace atelier
