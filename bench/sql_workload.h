#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "penstock/store/store.h"

namespace penstock::bench {

/// A store on a database of its own that is empty.
using FreshStore = std::function<std::unique_ptr<Store>()>;

/// The sale's rows through the store port of a database server, as the runtime writes them: a lane
/// with 1,000 claims a transaction whose ids are new (fence, stock, grants, processed ids with
/// replies; see Batch::decide_all), two such lanes, and, in the same run, what a program does that
/// locks the stock's row for each claim, on 8 connections. Prints a JSON line a figure: medians,
/// least and most. Arguments: [--runs N] [--small].
int run_sql_bench(std::string_view engine, int argc, char** argv, const FreshStore& fresh);

}  // namespace penstock::bench
