#pragma once

#include <memory>

#include "proto/parser.hpp"

namespace timesink::proto::memcached {

std::unique_ptr<Parser> make_text();
std::unique_ptr<Parser> make_binary();

}  // namespace timesink::proto::memcached
