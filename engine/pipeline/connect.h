// pipeline: finds what every name after `in:` and `from:` means, through modules, and checks the types there.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "graph/node.h"
#include "pipeline/expand.h"

namespace atelier {

// Where an artifact comes from and of which type it is.
struct Connection {
  Source source;  // of kind step: `index` is into Expansion::steps
  std::string type;
};

class Connector {
 public:
  Connector(const Expansion& expansion, const NodeRegistry& registry, MistakeList& mistakes)
      : expansion_(expansion), registry_(registry), mistakes_(mistakes) {}

  // The bound ports of every step, parallel to Expansion::steps. All mistakes of ports are told, of modules' too.
  std::vector<std::vector<PortBinding>> connect();

  // What `reference` means in `instance`; empty after telling why it means nothing. `what` begins the sentence.
  std::optional<Connection> resolve(const Instance& instance, const Reference& reference, const std::string& what);

 private:
  std::optional<Connection> resolve_input(const Instance& instance, const InputDeclaration& input,
                                          const Reference& reference, const std::string& what);
  std::optional<Connection> resolve_step(std::size_t index, const Reference& reference, const std::string& what);
  std::optional<Connection> resolve_module(const Instance& module, const Reference& reference, const std::string& what);
  // The output that the reference names, or the only one; null after telling.
  const std::string* choose_output(const std::vector<std::string>& outputs, const Reference& reference,
                                   const std::string& what);
  void unknown(const Instance& instance, const Reference& reference, const std::string& what);

  std::vector<PortBinding> connect_step(const ExpandedStep& step);
  std::optional<PortBinding> bind(const ExpandedStep& step, const PortSpec& spec, const PortDeclaration& port);
  void connect_modules(const Instance& instance);
  void check_module_ports(const Instance& module);
  void check_type(const Connection& connection, const std::string& expected, const Reference& reference,
                  const std::string& what);
  void check_input_types(const Instance& instance);

  const Expansion& expansion_;
  const NodeRegistry& registry_;
  MistakeList& mistakes_;
  // The references being resolved, to see modules that only hand each other's outputs on.
  struct Waypoint {
    const Instance* instance;
    const Reference* reference;
  };
  void tell_cycle(std::size_t begin);  // of the trail
  std::vector<Waypoint> trail_;
};

}  // namespace atelier
