// cache: the ledger's tables and their version. Every table that is held in memory has a growing `seq`, by which a
// process finds what others have committed since it last looked.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>

#include "cache/sqlite.h"

namespace atelier {

inline constexpr std::int64_t kLedgerFormat = 2;  // raised when the tables change

// Opens the ledger at `path`, making it where there is none and bringing one of an older format up to this one,
// readable by its owner only. Errors: it was written by a newer version, is damaged, is no ledger, or cannot be opened;
// each says what to do.
Expected<std::unique_ptr<SqliteConnection>> open_ledger_file(const std::filesystem::path& path);

// An error about the ledger at `path`, with what to do about it.
Error ledger_error(const std::filesystem::path& path, const SqliteFailure& failure);

}  // namespace atelier
