#include "cli/versions.h"

#include <fmt/format.h>
#include <H5public.h>
#include <oneapi/tbb/version.h>
#include <sqlite3.h>
#include <torch/version.h>
#ifdef ATELIER_WITH_VISION
#include <opencv2/core/version.hpp>
#endif

namespace atelier::cli {

// Only headers with numbers in them are read: nothing is linked for this.
std::map<std::string, std::string> versions() {
  std::map<std::string, std::string> all{
      {"atelier", ATELIER_VERSION},
      {"libtorch", TORCH_VERSION},
      {"HDF5", fmt::format("{}.{}.{}", H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE)},
      {"oneTBB", TBB_VERSION_STRING},
      {"SQLite", SQLITE_VERSION},
      {"compiler", __VERSION__}};
#ifdef ATELIER_WITH_VISION
  all["OpenCV"] = CV_VERSION;
#endif
  return all;
}

}  // namespace atelier::cli
