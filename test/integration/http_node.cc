#include "test/integration/http_node.h"

#include <stdlib.h>

#include <boost/json/parse.hpp>
#include <filesystem>
#include <thread>

#include "penstock/apps/sale/sale.h"

namespace penstock::test {
namespace {

constexpr std::chrono::seconds kPatience{30};

std::string make_directory() {
    std::string path = std::filesystem::temp_directory_path() / "penstock-http-XXXXXX";
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    return path;
}

}  // namespace

HttpNode::HttpNode()
    : env_{clock_, system_env().random, system_env().executor, system_env().files},
      directory_(make_directory()) {
    auto store = SqliteStore::open({.path = directory_ + "/penstock.db"}, system_env());
    EXPECT_TRUE(store) << store.error().text;
    store_ = std::move(*store);
    log_ = std::make_unique<MemoryLog>(system_env(), disk_);
    gate_ = std::make_unique<LocalGate>(system_env());
}

HttpNode::~HttpNode() {
    stop();
    server_.reset();
    node_.reset();
    log_.reset();
    gate_.reset();
    store_.reset();
    std::filesystem::remove_all(directory_);
}

void HttpNode::start_node(NodeOptions options) {
    node_ = make_node(
        system_env(), *log_, *gate_, *store_,
        [] {
            std::vector<std::unique_ptr<App>> apps;
            apps.push_back(sale::make_sale());
            return apps;
        },
        options, metrics_);
}

void HttpNode::start_http(http::HttpOptions options) {
    if (!node_) start_node();
    options.listen = "127.0.0.1:0";
    auto server =
        http::HttpServer::start(std::move(options), env_, *node_, *log_, *gate_, metrics_);
    ASSERT_TRUE(server) << server.error().text;
    server_ = std::move(*server);
}

void HttpNode::start_all() {
    start_http();
    const auto started = node_->start();
    ASSERT_TRUE(started) << started.error().text;
    ASSERT_TRUE(eventually([&] { return ask("GET /readyz").status == 200; }));
}

void HttpNode::stop() {
    if (server_) server_->stop(clock_.mono() + std::chrono::seconds(5));
    if (node_) node_->stop(system_env().clock.mono() + std::chrono::seconds(5));
    if (log_) log_->stop(system_env().clock.mono() + std::chrono::seconds(5));
}

HttpAnswer HttpNode::ask(std::string_view method_and_path, std::string_view body,
                         std::string_view fields) const {
    HttpClient client = connect();
    client.send(http_request(method_and_path, body, fields));
    return client.receive(method_and_path.starts_with("HEAD"));
}

void HttpNode::create_campaign(const std::string& id, const std::string& body) {
    const HttpAnswer answer = ask("PUT /v1/campaigns/" + id, body);
    ASSERT_EQ(answer.status, 201) << answer.body;
}

std::unique_ptr<Session> HttpNode::stall_store() {
    auto session = store_->open(Role::owner,
                                SessionLimits{std::chrono::seconds(60), std::chrono::seconds(30)});
    EXPECT_TRUE(session) << session.error().text;
    const auto begun = (*session)->begin();
    EXPECT_TRUE(begun) << begun.error().text;
    return std::move(*session);
}

bool HttpNode::eventually(const std::function<bool()>& condition) {
    const MonoTime until = system_env().clock.mono() + kPatience;
    while (system_env().clock.mono() < until) {
        if (condition()) return true;
        std::this_thread::yield();
    }
    return false;
}

boost::json::value json_of(const HttpAnswer& answer) {
    boost::system::error_code ec;
    auto value = boost::json::parse(answer.body, ec);
    EXPECT_FALSE(ec) << answer.status << " " << answer.body;
    return value;
}

std::string code_of(const HttpAnswer& answer) {
    if (answer.status == 0) return "no answer";
    EXPECT_EQ(answer.text("content-type"), "application/problem+json");
    const auto value = json_of(answer);
    const auto* problem = value.if_object();
    if (!problem) return "no problem";
    EXPECT_EQ(problem->at("status").to_number<int>(), answer.status);
    EXPECT_FALSE(problem->at("title").as_string().empty());
    EXPECT_FALSE(problem->at("detail").as_string().empty());
    const auto effect = problem->at("effect").as_string();
    EXPECT_TRUE(effect == "none" || effect == "unknown");
    if (answer.status == 503 || answer.status == 507 || answer.status == 429) {
        EXPECT_NE(answer.text("retry-after"), "") << answer.body;
    }
    return std::string(problem->at("code").as_string());
}

}  // namespace penstock::test
