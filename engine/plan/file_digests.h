// plan: digests of files, remembered by (path, size, mtime, inode) in the ledger, so that a night's photos are read
// once.
#pragma once
#include "artifact/port_type.h"
#include "artifact/store.h"
#include "base/clock.h"
#include "base/files.h"

namespace atelier {

// A FileDigest that remembers; safe to call from several threads as far as the seams are. Digests of files changed
// within the last 2 s are not remembered: a second change within the clock's step would go unseen. What it is given
// must outlive it. Errors name the path.
FileDigest remembered_digests(Files& files, Ledger& ledger, const Clock& clock);

}  // namespace atelier
