#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/hash.h"
#include "penstock/base/random.h"
#include "penstock/base/time.h"

namespace penstock {

/// A UUID's 16 bytes in network order (RFC 9562).
using Uuid = Hash128;

/// `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, either case; nothing else.
std::optional<Uuid> parse_uuid(std::string_view text);
std::string format_uuid(const Uuid& uuid);
/// Is this what format_uuid() writes?
bool is_text_of(const Uuid& uuid, std::string_view text);

/// Version 7: 48 bits of Unix milliseconds, then chance.
Uuid make_uuid_v7(LogTime now, Random& random);
/// The time in a version 7 UUID; empty for any other version.
std::optional<LogTime> uuid_v7_time(const Uuid& uuid);

/// The 16 bytes of a command id: a UUID as it is; any other text hashed into a version 8 UUID, so
/// that no text can pass for a version 7.
Uuid uuid_of_id(std::string_view id_text);

}  // namespace penstock
