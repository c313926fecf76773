// cli: what the program was built from, by name, for a run's record.
#pragma once
#include <map>
#include <string>

namespace atelier::cli {

std::map<std::string, std::string> versions();

}  // namespace atelier::cli
