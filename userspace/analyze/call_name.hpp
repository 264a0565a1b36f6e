#pragma once

#include <string>
#include <string_view>

#include "analyze/model.hpp"

namespace timesink::analyze {

/// "SELECT … FROM orders", "HGETALL 1", "POST /v1/charge": the statement, with the operation ahead where it does not begin with
/// it; the operation alone, said to be unnamed, where the statement is not known. Raw: the renderings make it safe.
std::string call_name(std::string_view operation, std::string_view statement);

/// The same with the host ahead, where the call has one: "api.pay.test POST /v1/charge".
std::string call_name(const CallLine& call);

}  // namespace timesink::analyze
