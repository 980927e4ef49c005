#pragma once

#include <string>

#include "penstock/store/store.h"

/// What must be true of the tables that were found before anything is done with them.
namespace penstock {

/// A group reads the line from its beginning and grants for itself: on the tables of another it
/// would answer for what that one did. unsafe: the tables are another group's.
Result<void> check_group(Store& store, const std::string& group);

/// For those that only read: the tables are there, and of versions that this program knows.
/// not_found: this is no database of a node; too_new.
Result<void> check_tables(Store& store, Session& reader);

}  // namespace penstock
