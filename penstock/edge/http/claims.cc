#include "penstock/apps/sale/sale.h"
#include "penstock/edge/http/command_call.h"
#include "penstock/edge/http/target.h"

namespace penstock::http {
namespace {

CommandCallOptions claim_options(const Request& request, const std::string& campaign) {
    CommandCallOptions options;
    options.noun = Noun::claim;
    options.type = sale::kClaim;
    options.key = campaign;
    options.preference = preference(request);
    options.traceparent = traceparent(request);
    return options;
}

void claim(Context& context, const ExchangePtr& exchange, const Request& request,
           const std::string& campaign) {
    if (const auto fine = sale::check_campaign_id(campaign); !fine) {
        return exchange->fail(problem_of(fine.error()));
    }
    CommandRequest command;
    auto parsed = sale::parse_claim(request.body, &command.deadline);
    if (!parsed) return exchange->fail(problem_of(parsed.error()));
    auto id = command_id(context, request);
    if (!id) return exchange->fail(problem_of(id.error()));
    command.id = std::move(*id);
    command.data = sale::canonical(*parsed);
    call_command(context, exchange, claim_options(request, campaign), std::move(command));
}

CommandRequest batch_command(Context& context, std::string_view line) {
    CommandRequest command;
    const auto refuse = [&](const Error& error) {
        Problem problem = problem_of(error);
        command.said = Said{problem.status, problem_json(problem)};
        return std::move(command);
    };
    auto parsed = sale::parse_batch_line(line);
    if (!parsed) return refuse(parsed.error());
    auto id = command_id(context, parsed->id);
    if (!id) return refuse(id.error());
    command.id = std::move(*id);
    command.data = sale::canonical(parsed->claim);
    return command;
}

void claim_batch(Context& context, const ExchangePtr& exchange, const Request& request,
                 const std::string& campaign) {
    if (const auto fine = sale::check_campaign_id(campaign); !fine) {
        return exchange->fail(problem_of(fine.error()));
    }
    if (request.count("Idempotency-Key") > 0) {
        return exchange->fail(invalid("a batch has no id of its own; put an `id` into each line"));
    }
    std::vector<CommandRequest> commands;
    std::string_view rest = request.body;
    while (!rest.empty()) {
        std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (commands.size() == context.limits().batch_lines) {
            return exchange->fail({413, "batch_too_large",
                                   "A batch has at most " +
                                       std::to_string(context.limits().batch_lines) +
                                       " lines; send several."});
        }
        commands.push_back(batch_command(context, line));
    }
    if (commands.empty()) return exchange->fail(invalid("the batch is empty: one claim per line"));
    CommandCallOptions options = claim_options(request, campaign);
    options.batch = true;
    call_commands(context, exchange, std::move(options), std::move(commands));
}

/// The granted claims of a campaign, a page after the other, so that memory holds one page.
class GrantList : public std::enable_shared_from_this<GrantList> {
public:
    GrantList(Context& context, ExchangePtr exchange, std::string campaign, std::string user,
              bool csv)
        : context_(context),
          exchange_(std::move(exchange)),
          campaign_(std::move(campaign)),
          user_(std::move(user)),
          csv_(csv) {}

    /// The first page is read before the status is said, so that what is wrong can be said.
    void begin() { fetch(true); }

private:
    static constexpr std::size_t kPage = 500;
    using Grants = std::vector<sale::GrantRow>;

    void fetch(bool first) {
        auto self = shared_from_this();
        context_.read(exchange_, [self, first](Session& session) -> std::function<void()> {
            bool known = true;
            if (first) {
                const auto campaigns = sale::read_campaigns(session, self->campaign_);
                if (!campaigns) return [self, e = campaigns.error()] { self->failed(e); };
                known = !campaigns->empty();
            }
            auto grants =
                sale::read_grants(session, self->campaign_, self->user_, self->after_, kPage);
            if (!grants) return [self, e = grants.error()] { self->failed(e); };
            return [self, first, known, page = std::make_shared<Grants>(std::move(*grants))] {
                self->arrived(first, known, *page);
            };
        });
    }

    void failed(const Error& error) {
        if (begun_) return exchange_->abort_stream();
        exchange_->fail(problem_of(error));
    }

    void arrived(bool first, bool known, const Grants& page) {
        if (exchange_->over()) return;
        if (!known) return exchange_->fail({404, "no_campaign", "There is no such campaign."});
        std::string bytes;
        if (first && csv_) bytes = "position,user_id,claim_id,quantity,offset,granted_at\r\n";
        for (const sale::GrantRow& grant : page) append(bytes, grant);
        if (!page.empty()) after_ = page.back().position;
        if (first) {
            begun_ = true;
            auto self = shared_from_this();
            const Response head{200, csv_ ? kCsv : kNdjson, "", ""};
            if (!exchange_->stream(head, [self] { self->next(); })) return;
        }
        last_ = page.size() < kPage;
        exchange_->write(bytes);
        if (last_) exchange_->end_stream();
    }

    void next() {
        if (!last_) fetch(false);
    }

    void append(std::string& out, const sale::GrantRow& grant) const {
        const std::string time = format_rfc3339(grant.granted_at);
        if (csv_) {
            out += std::to_string(grant.position) + ',' + csv_text(grant.user_id) + ',' +
                   csv_text(grant.claim_id) + ',' + std::to_string(grant.quantity) + ',' +
                   std::to_string(grant.offset) + ',' + time + "\r\n";
            return;
        }
        out += "{\"position\":" + std::to_string(grant.position) + ",\"user_id\":";
        append_json_string(out, grant.user_id);
        out += ",\"claim_id\":";
        append_json_string(out, grant.claim_id);
        out += ",\"quantity\":" + std::to_string(grant.quantity) +
               ",\"offset\":" + std::to_string(grant.offset) + ",\"granted_at\":\"" + time +
               "\"}\n";
    }

    /// RFC 4180, always quoted.
    static std::string csv_text(std::string_view text) {
        std::string out = "\"";
        for (const char c : text) {
            if (c == '"') out += '"';
            out += c;
        }
        return out + '"';
    }

    Context& context_;
    const ExchangePtr exchange_;
    const std::string campaign_, user_;
    const bool csv_;
    std::uint64_t after_ = 0;  ///< written by the loop between reads, never during one
    bool begun_ = false, last_ = false;
};

/// Nothing: another form is asked for, which is answered.
std::optional<bool> wants_csv(const ExchangePtr& exchange, const Request& request,
                              const Query& query) {
    if (const auto format = query.get("format")) {
        if (*format == "csv" || *format == "ndjson") return *format == "csv";
        exchange->fail(invalid("format is csv or ndjson"));
        return std::nullopt;
    }
    const auto accept = request.field("Accept");
    return accept && accept->find("text/csv") != std::string_view::npos;
}

void list_claims(Context& context, const ExchangePtr& exchange, const Request& request,
                 const std::string& campaign) {
    if (const auto fine = sale::check_campaign_id(campaign); !fine) {
        return exchange->fail(problem_of(fine.error()));
    }
    const auto query = Query::parse(request.query);
    if (!query || query->stranger({"user_id", "format"})) {
        return exchange->fail(invalid("the query takes user_id and format, each once"));
    }
    const auto csv = wants_csv(exchange, request, *query);
    if (!csv) return;
    const auto user = query->get("user_id");
    if (user && (user->empty() || user->size() > sale::kMaxUserBytes)) {
        return exchange->fail(invalid("user_id has 1 to 256 bytes"));
    }
    std::make_shared<GrantList>(context, exchange, campaign, std::string(user.value_or("")), *csv)
        ->begin();
}

}  // namespace

void add_claim_routes(Context& context, Router& router) {
    const auto add = [&](Method method, const char* path, std::size_t body, auto handler) {
        router.add({method, path, body,
                    [&context, handler](const ExchangePtr& exchange, const Request& request,
                                        const PathParameters& names) {
                        handler(context, exchange, request, names[0]);
                    }});
    };
    const HttpLimits& limits = context.limits();
    add(Method::post, "/v1/campaigns/{id}/claims", limits.body_bytes, claim);
    add(Method::post, "/v1/campaigns/{id}/claims:batch", limits.batch_bytes, claim_batch);
    add(Method::get, "/v1/campaigns/{id}/claims", 0, list_claims);
    add(Method::get, "/v1/claims/{id}", 0,
        [](Context& c, const ExchangePtr& exchange, const Request&, const std::string& id) {
            ask_for_outcome(c, exchange, Noun::claim, id);
        });
}

}  // namespace penstock::http
