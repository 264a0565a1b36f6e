#pragma once

#include "proto/parser.hpp"

/// FastCGI 1.0 (fastcgi-archives.github.io, FastCGI_Specification): what a web server hands to php-fpm and its like. Its requests
/// are HTTP's, told by CGI's variables (RFC 3875), so it goes by the name of http.
namespace timesink::proto::fastcgi {

Match detect(Direction direction, std::span<const std::byte> bytes);
std::unique_ptr<Parser> make();

}  // namespace timesink::proto::fastcgi
