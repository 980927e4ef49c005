#include "penstock/store/postgres/binary.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "penstock/base/uuid.h"

namespace penstock::postgres {
namespace {

template <class T>
void put(std::string& out, T value) {
    char raw[sizeof(T)];
    for (std::size_t i = sizeof(T); i-- > 0;) {
        raw[i] = static_cast<char>(value & 0xff);
        if constexpr (sizeof(T) > 1) value = static_cast<T>(value >> 8);
    }
    out.append(raw, sizeof raw);
}

template <class T>
T get(const char* from) {
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        value = static_cast<T>(value << 8 | static_cast<unsigned char>(from[i]));
    }
    return value;
}

Error unfit(std::string_view what, std::string_view type) {
    return error(Code::invalid, fmt::format("{} does not fit the type {}", what, type));
}

/// The binary form of one value of one type, appended.
class Encoder {
public:
    Encoder(std::string& out, Oid type) : out_(out), type_(type) {}

    Result<void> operator()(std::monostate) const { PENSTOCK_CHECK(false); }

    Result<void> operator()(std::int64_t value) const {
        switch (type_) {
            case oid::kInt8:
                put(out_, static_cast<std::uint64_t>(value));
                return {};
            case oid::kInt4:
                return narrow<std::int32_t>(value, "int4");
            case oid::kInt2:
                return narrow<std::int16_t>(value, "int2");
            case oid::kFloat8:
            case oid::kFloat4:
                if (const auto whole = std::int64_t{1} << (type_ == oid::kFloat8 ? 53 : 24);
                    value > whole || value < -whole) {
                    return unfit(std::to_string(value), "of a real without loss");
                }
                return (*this)(static_cast<double>(value));
            case oid::kBool:
                if (value != 0 && value != 1) return unfit(std::to_string(value), "bool");
                put(out_, static_cast<std::uint8_t>(value));
                return {};
            default:
                return unfit("an integer", name());
        }
    }

    Result<void> operator()(double value) const {
        switch (type_) {
            case oid::kFloat8:
                put(out_, std::bit_cast<std::uint64_t>(value));
                return {};
            case oid::kFloat4:
                put(out_, std::bit_cast<std::uint32_t>(static_cast<float>(value)));
                return {};
            case oid::kInt8:
            case oid::kInt4:
            case oid::kInt2:
                // 2^53: beyond it a real does not say which integer it is.
                if (value != std::floor(value) || std::abs(value) > 9007199254740992.0) {
                    return unfit(fmt::format("{}", value), name());
                }
                return (*this)(static_cast<std::int64_t>(value));
            default:
                return unfit("a real", name());
        }
    }

    Result<void> operator()(std::string_view value) const {
        if (type_ == oid::kBytea) {
            out_.append(value);
            return {};
        }
        if (type_ == oid::kUuid) {
            const auto uuid = parse_uuid(value);
            if (!uuid) return unfit(fmt::format("'{}'", value), "uuid");
            out_.append(reinterpret_cast<const char*>(uuid->bytes.data()), uuid->bytes.size());
            return {};
        }
        if (!is_text()) return unfit("a text", name());
        if (value.find('\0') != value.npos) {
            return error(Code::invalid, "a text with a zero byte, which PostgreSQL does not store");
        }
        if (type_ == oid::kJsonb) out_.push_back(1);  // version of its form
        out_.append(value);
        return {};
    }

    Result<void> operator()(Bytes value) const {
        if (type_ == oid::kUuid && value.size() != 16) {
            return unfit(fmt::format("a blob of {} bytes", value.size()), "uuid (16 bytes)");
        }
        if (type_ != oid::kUuid && type_ != oid::kBytea) return unfit("a blob", name());
        out_.append(as_text(value));
        return {};
    }

private:
    template <class T>
    Result<void> narrow(std::int64_t value, std::string_view type) const {
        if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max()) {
            return unfit(std::to_string(value), type);
        }
        put(out_, static_cast<std::make_unsigned_t<T>>(value));
        return {};
    }
    bool is_text() const {
        return type_ == oid::kText || type_ == oid::kVarchar || type_ == oid::kBpchar ||
               type_ == oid::kName || type_ == oid::kJson || type_ == oid::kJsonb;
    }
    std::string_view name() const {
        switch (type_) {
            case oid::kInt8:
                return "int8 (bigint)";
            case oid::kInt4:
                return "int4 (integer)";
            case oid::kInt2:
                return "int2 (smallint)";
            case oid::kFloat8:
            case oid::kFloat4:
                return "float";
            case oid::kBytea:
                return "bytea";
            case oid::kUuid:
                return "uuid";
            case oid::kBool:
                return "bool";
            default:
                return "text that the statement gives it; write CAST(:name AS …)";
        }
    }

    std::string& out_;
    const Oid type_;
};

/// A value of a type that is not known here, as its literal without quotes.
Result<void> append_literal(std::string& out, const Value& value) {
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
        out += std::to_string(*integer);
    } else if (const auto* real = std::get_if<double>(&value)) {
        out += fmt::format("{}", *real);
    } else if (const auto* text = std::get_if<std::string_view>(&value)) {
        if (text->find('\0') != text->npos) return unfit("a text with a zero byte", "given");
        out += *text;
    } else {
        return unfit("a blob", "given");
    }
    return {};
}

/// Digits in base 10,000 (src/backend/utils/adt/numeric.c). An integer where it is one.
void add_numeric(const char* raw, Table& table) {
    const int digits = get<std::uint16_t>(raw);
    const int weight = static_cast<std::int16_t>(get<std::uint16_t>(raw + 2));
    const auto sign = get<std::uint16_t>(raw + 4);
    const auto scale = get<std::uint16_t>(raw + 6);
    if ((sign & 0xC000) == 0xC000) {
        table.add(sign == 0xC000   ? std::numeric_limits<double>::quiet_NaN()
                  : sign == 0xD000 ? std::numeric_limits<double>::infinity()
                                   : -std::numeric_limits<double>::infinity());
        return;
    }
    double real = 0;
    __int128 whole = 0;
    for (int i = 0; i < std::max(digits, weight + 1); ++i) {
        const int digit = i < digits ? get<std::uint16_t>(raw + 8 + 2 * i) : 0;
        real += digit * std::pow(10000.0, weight - i);
        if (i <= weight && weight <= 4) whole = whole * 10000 + digit;
    }
    if (sign == 0x4000) {
        whole = -whole;
        real = -real;
    }
    const bool fits = weight <= 4 && whole >= std::numeric_limits<std::int64_t>::min() &&
                      whole <= std::numeric_limits<std::int64_t>::max();
    if (scale == 0 && fits) {
        table.add(static_cast<std::int64_t>(whole));
    } else {
        table.add(real);
    }
}

void add_cell(Oid type, const char* raw, std::size_t size, Table& table) {
    switch (type) {
        case oid::kInt8:
            return table.add(static_cast<std::int64_t>(get<std::uint64_t>(raw)));
        case oid::kInt4:
            return table.add(std::int64_t{static_cast<std::int32_t>(get<std::uint32_t>(raw))});
        case oid::kInt2:
            return table.add(std::int64_t{static_cast<std::int16_t>(get<std::uint16_t>(raw))});
        case oid::kOid:
            return table.add(std::int64_t{get<std::uint32_t>(raw)});
        case oid::kBool:
            return table.add(std::int64_t{*raw});
        case oid::kFloat8:
            return table.add(std::bit_cast<double>(get<std::uint64_t>(raw)));
        case oid::kFloat4:
            return table.add(double{std::bit_cast<float>(get<std::uint32_t>(raw))});
        case oid::kNumeric:
            return add_numeric(raw, table);
        case oid::kBytea:
        case oid::kUuid:
            return table.add_blob(as_bytes({raw, size}));
        case oid::kVoid:
            return table.add_null();
        case oid::kJsonb:
            return table.add_text({raw + 1, size - 1});
        default:
            return table.add_text({raw, size});
    }
}

}  // namespace

Oid array_of(Oid element) {
    switch (element) {
        case oid::kBool:
            return 1000;
        case oid::kBytea:
            return 1001;
        case oid::kName:
            return 1003;
        case oid::kInt2:
            return 1005;
        case oid::kInt4:
            return 1007;
        case oid::kText:
            return 1009;
        case oid::kBpchar:
            return 1014;
        case oid::kVarchar:
            return 1015;
        case oid::kInt8:
            return 1016;
        case oid::kFloat4:
            return 1021;
        case oid::kFloat8:
            return 1022;
        case oid::kJson:
            return 199;
        case oid::kUuid:
            return 2951;
        case oid::kJsonb:
            return 3807;
        default:
            return 0;
    }
}

bool is_readable(Oid type) {
    return array_of(type) != 0 || type == oid::kOid || type == oid::kNumeric ||
           type == oid::kChar || type == oid::kVoid;
}

void Parameters::clear() {
    heap_.clear();
    slots_.clear();
}

Result<void> Parameters::add(Oid type, const Value& value) {
    Slot& slot = slots_.emplace_back(Slot{heap_.size(), 0, 1, false});
    if (std::holds_alternative<std::monostate>(value)) {
        slot.null = true;
        return {};
    }
    if (array_of(type) != 0) {
        PENSTOCK_TRY(std::visit(Encoder(heap_, type), value));
        slot.size = heap_.size() - slot.at;
        return {};
    }
    slot.format = 0;
    PENSTOCK_TRY(append_literal(heap_, value));
    slot.size = heap_.size() - slot.at;
    heap_.push_back('\0');  // libpq takes text as a C string
    return {};
}

Result<void> Parameters::add_array(Oid type, std::span<const Value> rows, std::size_t width,
                                   std::size_t at) {
    const std::size_t count = rows.size() / width;
    const std::size_t begin = heap_.size();
    put(heap_, std::uint32_t{1});  // dimensions
    const std::size_t has_null = heap_.size();
    put(heap_, std::uint32_t{0});
    put(heap_, std::uint32_t{type});
    put(heap_, static_cast<std::uint32_t>(count));
    put(heap_, std::uint32_t{1});  // index of the first
    const Encoder encoder(heap_, type);
    for (std::size_t row = 0; row < count; ++row) {
        const Value& value = rows[row * width + at];
        if (std::holds_alternative<std::monostate>(value)) {
            put(heap_, ~std::uint32_t{0});
            heap_[has_null + 3] = 1;
            continue;
        }
        const std::size_t length = heap_.size();
        put(heap_, std::uint32_t{0});
        PENSTOCK_TRY(std::visit(encoder, value));
        const auto size = static_cast<std::uint32_t>(heap_.size() - length - 4);
        for (int i = 0; i < 4; ++i) {
            heap_[length + static_cast<std::size_t>(i)] = static_cast<char>(size >> (24 - 8 * i));
        }
    }
    slots_.push_back({begin, heap_.size() - begin, 1, false});
    return {};
}

void Parameters::lay_out() const {
    values_.clear();
    lengths_.clear();
    formats_.clear();
    for (const Slot& slot : slots_) {
        values_.push_back(slot.null ? nullptr : heap_.data() + slot.at);
        lengths_.push_back(static_cast<int>(slot.size));
        formats_.push_back(slot.format);
    }
}

const char* const* Parameters::values() const {
    lay_out();
    return values_.data();
}

const int* Parameters::lengths() const {
    return lengths_.data();
}

const int* Parameters::formats() const {
    return formats_.data();
}

void name_columns(const PGresult* answer, Table& table) {
    std::vector<std::string> names;
    for (int i = 0; i < PQnfields(answer); ++i) names.emplace_back(PQfname(answer, i));
    table.set_names(std::move(names));
}

void add_rows(const PGresult* answer, Table& table) {
    const int columns = PQnfields(answer);
    for (int row = 0; row < PQntuples(answer); ++row) {
        for (int column = 0; column < columns; ++column) {
            if (PQgetisnull(answer, row, column) != 0) {
                table.add_null();
            } else {
                add_cell(PQftype(answer, column), PQgetvalue(answer, row, column),
                         static_cast<std::size_t>(PQgetlength(answer, row, column)), table);
            }
        }
    }
}

std::uint64_t matched_by(PGresult* answer) {
    return std::strtoull(PQcmdTuples(answer), nullptr, 10);
}

}  // namespace penstock::postgres
