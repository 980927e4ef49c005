#include "penstock/edge/http/command_call.h"

#include <algorithm>

namespace penstock::http {
namespace {

/// A decided command whose reply is on its way is waited for so long beyond the caller's wish.
constexpr std::chrono::milliseconds kReplyOnItsWay{500};

class CommandCall final : public Caller, public std::enable_shared_from_this<CommandCall> {
public:
    CommandCall(Context& context, ExchangePtr exchange, CommandCallOptions options,
                std::vector<CommandRequest> commands)
        : context_(context),
          exchange_(std::move(exchange)),
          options_(std::move(options)),
          commands_(std::move(commands)) {}

    void begin() {
        std::vector<Submission> submissions;
        submissions.reserve(commands_.size());
        const LogTime now = context_.env().clock.wall();
        for (std::size_t i = 0; i < commands_.size(); ++i) {
            CommandRequest& command = commands_[i];
            if (!command.said && command.id.fresh && command.deadline && *command.deadline < now) {
                // Nobody can have used this id: it is refused without a record.
                command.said = say(Settlement{Refused{kReasonExpired, ""}, true}, asked(command));
            }
            if (command.said) continue;
            places_.push_back(static_cast<std::uint32_t>(i));
            submissions.push_back(submission(command, now));
        }
        open_ = submissions.size();
        if (open_ == 0) return answer();
        context_.loop().submit(shared_from_this(), submissions);
        wait();
    }

    void replied(std::uint32_t index, Answered& answered) override {
        CommandRequest& command = commands_[places_[index]];
        --open_;
        if (command.said || exchange_->over()) return;
        command.said = say(std::move(answered), asked(command));
        if (open_ == 0) answer();
    }

private:
    Submission submission(const CommandRequest& command, LogTime now) const {
        Submission out;
        out.command.id = command.id.id;
        out.command.id_text = command.id.text;
        out.command.type = options_.type;
        out.command.target = command.target;
        out.command.key = options_.key;
        out.command.data = as_bytes(command.data);
        out.command.requested_at = now;
        out.command.deadline = command.deadline;
        out.command.traceparent = options_.traceparent;
        out.fresh_id = command.id.fresh;
        // Who says how he wants to wait knows that his answer may come later.
        if (!options_.preference.respond_async && !options_.preference.wait) {
            out.patience = context_.limits().wait;
        }
        return out;
    }

    Asked asked(const CommandRequest& command) const {
        return {options_.noun, command.id.text, context_.ready()};
    }

    void wait() {
        if (options_.preference.respond_async) {
            context_.loop().poll([self = shared_from_this()] { return self->answer_if_in_line(); });
        }
        auto wait = context_.limits().wait;
        if (options_.preference.wait) {
            wait = std::min<std::chrono::milliseconds>(*options_.preference.wait,
                                                       context_.limits().max_wait);
        }
        exchange_->at_deadline(context_.loop().now() + wait,
                               [self = shared_from_this()] { self->on_late(); });
    }

    /// True: over, or everything that is not decided is durably in line and was answered so.
    bool answer_if_in_line() {
        if (exchange_->over()) return true;
        for (const std::uint32_t place : places_) {
            const CommandRequest& command = commands_[place];
            if (command.said) continue;
            const auto in_line = context_.node().requester().in_line(command.id.id);
            if (!in_line || !in_line->offset) return false;
        }
        for (const std::uint32_t place : places_) say_where(commands_[place]);
        answer();
        return true;
    }

    void say_where(CommandRequest& command) {
        if (command.said) return;
        const auto in_line = context_.node().requester().in_line(command.id.id);
        command.said = in_line && in_line->offset ? say_waiting(*in_line, asked(command))
                                                  : say_unknown(asked(command));
    }

    void on_late() {
        const bool replies_come =
            std::any_of(places_.begin(), places_.end(), [this](std::uint32_t place) {
                return !commands_[place].said &&
                       !context_.node().requester().in_line(commands_[place].id.id);
            });
        if (replies_come && !granted_more_time_ && !context_.loop().stopping()) {
            granted_more_time_ = true;
            return exchange_->at_deadline(context_.loop().now() + kReplyOnItsWay,
                                          [self = shared_from_this()] { self->on_late(); });
        }
        for (const std::uint32_t place : places_) say_where(commands_[place]);
        answer();
    }

    void answer() {
        if (!options_.batch) return exchange_->respond(to_response(std::move(*commands_[0].said)));
        Response response;
        response.content_type = kNdjson;
        response.body.reserve(commands_.size() * 256);
        for (const CommandRequest& command : commands_) append_line(response.body, *command.said);
        exchange_->respond(std::move(response));
    }

    Context& context_;
    const ExchangePtr exchange_;
    const CommandCallOptions options_;
    std::vector<CommandRequest> commands_;
    std::vector<std::uint32_t> places_;  ///< of the submitted ones among commands_
    std::size_t open_ = 0;
    bool granted_more_time_ = false;
};

class OutcomeQuestion final : public Caller {
public:
    OutcomeQuestion(Context& context, ExchangePtr exchange, Noun noun, std::string_view id_text)
        : context_(context),
          exchange_(std::move(exchange)),
          noun_(noun),
          id_text_(id_text),
          id_(uuid_of_id(id_text)) {}

    /// True: it waits in line, and that is answered.
    bool answer_in_line() {
        const auto in_line = context_.node().requester().in_line(id_);
        if (!in_line || !in_line->offset) return false;
        exchange_->respond(to_response(say_in_line(*in_line, asked())));
        return true;
    }

    void replied(std::uint32_t, Answered& answered) override {
        if (exchange_->over()) return;
        const auto* failure = std::get_if<Error>(&answered);
        // It may have come into line while the store was being asked.
        if (failure && failure->code == Code::not_found && answer_in_line()) return;
        exchange_->respond(to_response(say_recorded(std::move(answered), asked())));
    }

    const Uuid& id() const { return id_; }

private:
    Asked asked() const { return {noun_, id_text_, context_.ready()}; }

    Context& context_;
    const ExchangePtr exchange_;
    const Noun noun_;
    const std::string id_text_;
    const Uuid id_;
};

}  // namespace

void call_commands(Context& context, const ExchangePtr& exchange, CommandCallOptions options,
                   std::vector<CommandRequest> commands) {
    std::make_shared<CommandCall>(context, exchange, std::move(options), std::move(commands))
        ->begin();
}

void call_command(Context& context, const ExchangePtr& exchange, CommandCallOptions options,
                  CommandRequest command) {
    std::vector<CommandRequest> commands;
    commands.push_back(std::move(command));
    call_commands(context, exchange, std::move(options), std::move(commands));
}

void ask_for_outcome(Context& context, const ExchangePtr& exchange, Noun noun,
                     std::string_view id_text) {
    if (!is_valid_id(id_text)) {
        return exchange->fail(invalid("an id is 1 to 128 printable ASCII characters"));
    }
    if (!context.must_be_ready(exchange)) return;
    context.limit_wait(exchange);
    auto question = std::make_shared<OutcomeQuestion>(context, exchange, noun, id_text);
    if (!question->answer_in_line()) context.loop().look_up(question, question->id());
}

}  // namespace penstock::http
