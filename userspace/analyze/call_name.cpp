#include "analyze/call_name.hpp"

namespace timesink::analyze {

std::string call_name(std::string_view operation, std::string_view statement) {
    if (statement.empty()) {
        return operation.empty() ? "(unnamed)" : std::string(operation) + " (unnamed)";
    }
    if (operation.empty() || statement.substr(0, operation.size()) == operation) {
        return std::string(statement);
    }
    return std::string(operation) + " " + std::string(statement);
}

std::string call_name(const CallLine& call) {
    const std::string name = call_name(call.operation, call.statement);
    return call.host.empty() ? name : call.host + " " + name;
}

}  // namespace timesink::analyze
