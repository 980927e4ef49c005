#include "test/integration/http_node.h"
