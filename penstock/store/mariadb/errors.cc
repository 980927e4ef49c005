#include "penstock/store/mariadb/errors.h"

#include <errmsg.h>
#include <fmt/format.h>
#include <mysqld_error.h>

namespace penstock::mariadb {
namespace {

// Numbers that the client's headers do not name.
constexpr unsigned kClientFirst = 2000;
constexpr unsigned kClientLast = 2999;
constexpr unsigned kConnectorFirst = 5000;
constexpr unsigned kConnectorLast = 5999;
constexpr unsigned kSessionWasKilled = 3169;
constexpr unsigned kInteractionTimeOut = 4031;

bool says_disk_full(std::string_view text) {
    return text.find("error 28") != text.npos || text.find("errno: 28") != text.npos ||
           text.find("No space left") != text.npos;
}

Code code_by_class(std::string_view sqlstate) {
    const std::string_view kind = sqlstate.substr(0, 2);
    if (kind == "22" || kind == "23" || kind == "44") return Code::constraint;
    if (kind == "21" || kind == "42" || kind == "0A") return Code::invalid;
    if (kind == "40") return Code::conflict;
    if (kind == "25") return Code::read_only;
    return Code::io;
}

Code code_of(const Said& said) {
    switch (said.number) {
        case ER_LOCK_WAIT_TIMEOUT:
        case ER_LOCK_DEADLOCK:
        case ER_CHECKREAD:
        case ER_LOCK_TABLE_FULL:
        case ER_QUERY_INTERRUPTED:
        case ER_STATEMENT_TIMEOUT:
            return Code::conflict;
        case ER_DISK_FULL:
        case ER_RECORD_FILE_FULL:
            return Code::no_space;
        case ER_ERROR_ON_WRITE:
        case ER_GET_ERRNO:
            return says_disk_full(said.text) ? Code::no_space : Code::io;
        case ER_OPTION_PREVENTS_STATEMENT:
        case ER_READ_ONLY_MODE:
        case ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION:
        case ER_OPEN_AS_READONLY:
            return Code::read_only;
        case ER_DATA_TOO_LONG:
        case ER_NET_PACKET_TOO_LARGE:
        case CR_NET_PACKET_TOO_LARGE:
            return Code::too_large;
        case ER_NO_DEFAULT_FOR_FIELD:
        case ER_BAD_NULL_ERROR:
        case WARN_DATA_TRUNCATED:
        case ER_TRUNCATED_WRONG_VALUE:
        case ER_TRUNCATED_WRONG_VALUE_FOR_FIELD:
            return Code::constraint;
        case ER_CON_COUNT_ERROR:
        case ER_TOO_MANY_USER_CONNECTIONS:
        case ER_USER_LIMIT_REACHED:
        case ER_OUTOFMEMORY:
        case ER_OUT_OF_RESOURCES:
            return Code::overloaded;
        case ER_UNSUPPORTED_PS:
            return Code::invalid;
        default:
            if (ends_connection(said.number)) return Code::unreachable;
            // A right that was taken away is nobody's input.
            if (is_denied(said.number)) return Code::read_only;
            return code_by_class(said.sqlstate);
    }
}

/// InnoDB undid the statement alone; whatever is not known to be so takes the transaction.
bool statement_only(const Said& said, Code code, bool timeout_takes_all) {
    if (said.number == ER_LOCK_WAIT_TIMEOUT) return !timeout_takes_all;
    return code == Code::constraint || code == Code::invalid || code == Code::too_large ||
           said.number == ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION;
}

}  // namespace

bool ends_connection(unsigned number) {
    switch (number) {
        case ER_CONNECTION_KILLED:
        case ER_SERVER_SHUTDOWN:
        case ER_NORMAL_SHUTDOWN:
        case ER_SHUTDOWN_COMPLETE:
        case ER_FORCING_CLOSE:
        case ER_ABORTING_CONNECTION:
        case ER_NEW_ABORTING_CONNECTION:
        case ER_NET_PACKET_TOO_LARGE:
        case ER_NET_READ_ERROR_FROM_PIPE:
        case ER_NET_FCNTL_ERROR:
        case ER_NET_PACKETS_OUT_OF_ORDER:
        case ER_NET_UNCOMPRESS_ERROR:
        case ER_NET_READ_ERROR:
        case ER_NET_READ_INTERRUPTED:
        case ER_NET_ERROR_ON_WRITE:
        case ER_NET_WRITE_INTERRUPTED:
        case kSessionWasKilled:
        case kInteractionTimeOut:
            return true;
        default:
            return (number >= kClientFirst && number <= kClientLast) ||
                   (number >= kConnectorFirst && number <= kConnectorLast);
    }
}

bool is_denied(unsigned number) {
    switch (number) {
        case ER_DBACCESS_DENIED_ERROR:
        case ER_TABLEACCESS_DENIED_ERROR:
        case ER_COLUMNACCESS_DENIED_ERROR:
        case ER_SPECIFIC_ACCESS_DENIED_ERROR:
        case ER_PROCACCESS_DENIED_ERROR:
            return true;
        default:
            return false;
    }
}

Error statement_error(const Said& said, std::string_view what, bool timeout_takes_all) {
    const Code code = code_of(said);
    Error failure =
        error(code, fmt::format("{}: {} (MariaDB error {})", what, said.text, said.number));
    if (ends_connection(said.number)) {
        failure.lost = Lost::session;
    } else if (!statement_only(said, code, timeout_takes_all)) {
        failure.lost = Lost::transaction;
    }
    return failure;
}

}  // namespace penstock::mariadb
