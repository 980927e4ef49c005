#pragma once

#include <libpq-fe.h>

#include <string>
#include <vector>

#include "penstock/store/store.h"

/// Values in the binary form of PostgreSQL's protocol. Internal to this folder.
namespace penstock::postgres {

/// Types by the numbers that they have in every database (src/include/catalog/pg_type.dat).
namespace oid {
inline constexpr Oid kBool = 16, kBytea = 17, kChar = 18, kName = 19, kInt8 = 20, kInt2 = 21,
                     kInt4 = 23, kText = 25, kOid = 26, kJson = 114, kFloat4 = 700, kFloat8 = 701,
                     kBpchar = 1042, kVarchar = 1043, kNumeric = 1700, kVoid = 2278, kUuid = 2950,
                     kJsonb = 3802;
}  // namespace oid

/// The array of `element`; 0: values of this type go as text, one by one.
Oid array_of(Oid element);
/// A result's column of this type can be read.
bool is_readable(Oid type);

/// The parameters of one execution, as libpq takes them. Reused from one to the next.
class Parameters {
public:
    void clear();
    /// invalid: the value does not fit the type, and the text says how.
    Result<void> add(Oid type, const Value& value);
    /// Column `at` of rows that are `width` wide, as an array of `type`.
    Result<void> add_array(Oid type, std::span<const Value> rows, std::size_t width,
                           std::size_t at);

    int count() const { return static_cast<int>(slots_.size()); }
    std::size_t bytes() const { return heap_.size(); }
    // Until the next change.
    const char* const* values() const;
    const int* lengths() const;
    const int* formats() const;

private:
    struct Slot {
        std::size_t at, size;
        int format;  // 0 text, 1 binary
        bool null;
    };
    void lay_out() const;

    std::string heap_;
    std::vector<Slot> slots_;
    mutable std::vector<const char*> values_;
    mutable std::vector<int> lengths_, formats_;
};

/// Names of the columns, then rows.
void name_columns(const PGresult* answer, Table& table);
/// Every column is_readable() and in binary form.
void add_rows(const PGresult* answer, Table& table);
/// Rows that the statement matched or returned.
std::uint64_t matched_by(PGresult* answer);

}  // namespace penstock::postgres
