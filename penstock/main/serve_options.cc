#include "penstock/main/serve_options.h"

#include "penstock/edge/http/listen.h"
#include "penstock/main/engines.h"
#include "penstock/main/version.h"

namespace penstock {

Result<ProcessOptions> serve_options(const cli::Settings& settings) {
    if (auto address = http::parse_listen(settings.http.listen); !address) {
        return error(Code::unsafe, address.error().text);
    }
    const auto shared = is_shared(settings);
    if (!shared) return shared.error();
    ProcessOptions options;
    options.settings = settings;
    options.node.group = settings.runtime.group;
    options.node.alone = !*shared;
    options.node.lease = settings.runtime.lease;
    options.node.dedup_horizon = settings.runtime.dedup_horizon;
    options.node.max_in_line = settings.runtime.max_in_line;
    options.node.mark_topics = settings.log.kind == "kafka";
    options.node.adopt = settings.log.adopt;
    options.node.max_rows_per_s = settings.store.max_rows_per_s;
    options.node.low_water_bytes = settings.log.low_water_bytes;
    options.node.topics = {{TopicId("sale"), settings.log.partitions, settings.log.retention_time,
                            settings.log.retention_bytes}};
    options.http.listen = settings.http.listen;
    if (!settings.http.unix_socket.empty()) options.http.unix_path = settings.http.unix_socket;
    options.http.allowed_hosts = settings.http.allowed_hosts;
    options.http.version = kVersion;
    return options;
}

}  // namespace penstock
