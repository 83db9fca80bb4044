"""The language of ?filter=: operators, values, what binds how, selectors of every record that can be filtered."""

from urllib.parse import quote

from script import get, put, settle

put("/v1/catalog/register", '{"Node":"f1","Address":"10.0.0.1","NodeMeta":{"rack":"r1","a.b":"x"},"TaggedAddresses":{"lan":"10.0.0.1"},'
                            '"Service":{"ID":"w1","Service":"web","Tags":["a","b c"],"Port":80,"Meta":{"v":"1","k-2":"z"},"Address":"1.2.3.4",'
                            '"Weights":{"Passing":3,"Warning":2}},"Checks":[{"Name":"c1","Status":"passing","Notes":"n \\"q\\""},'
                            '{"Name":"c2","Status":"warning","ServiceID":"w1","Output":"out"}]}')
put("/v1/catalog/register", '{"Node":"f2","Address":"10.0.0.2","Service":{"ID":"w2","Service":"web","Port":81,"EnableTagOverride":true}}')
put("/v1/agent/service/register", '{"Name":"own","ID":"own1","Tags":["t"],"Port":7,"Meta":{"m":"1"},"Check":{"TTL":"1h","Status":"passing"}}')
settle("/v1/catalog/service/own", "own1")

NODES = ('Node==f1', 'Node == "f1"', "Node == `f1`", ' Node  ==  f1 ', 'Node\t==\nf1', '"Node" == f1', 'Node == F1', 'node == f1',
         'Node != f1', 'not Node == f1', 'not not Node == f1', 'NOT Node == f1', 'Node == f1 or Node == f2', 'Node == f1 and Node == f2',
         'Node == f1 or Node == f2 and Address == x', '(Node == f1 or Node == f2) and Address == x', 'not (Node == f1)',
         '( ( Node == f1 ) )', 'Node == f1 AND Node == f1', 'f1 in Node', '"f" in Node', 'Node contains f', 'Node not contains f',
         'f not in Node', 'Node is empty', 'Node is not empty', 'Meta is empty', 'Meta is not empty', 'rack in Meta', 'Meta contains rack',
         'Meta.rack == r1', 'Meta["rack"] == r1', 'Meta[`a.b`] == x', 'Meta["a.b"] == x', 'Meta.a.b == x', 'Meta.none == x', 'Meta.none != x',
         'Meta.rack is empty', 'Meta.rack contains r', 'Meta.rack matches "^r[0-9]$"', 'Meta.rack not matches r', 'Meta == x',
         'Node matches `^f[12]$`', 'Node matches "("', 'Node matches f', 'Node not matches f', 'TaggedAddresses.lan == "10.0.0.1"',
         'lan in TaggedAddresses', 'TaggedAddresses is empty', 'ID is empty', 'Datacenter == dc1', 'Address != "10.0.0.1"', 'Node == 5',
         'Node == 5.5', 'Node == -5', 'Node == true', 'Node == f1.x', 'CreateIndex == 1', 'Nope is empty', 'Node.x == 1', 'Node == ""',
         'Meta["rack"]["x"] == 1', 'Node == "\\u0066\\u0031"', 'Node == "f\\"1"', 'Node == /f1', 'Node == f1/x')
for text in NODES:
    get("/v1/catalog/nodes?filter=" + quote(text), loose=("TaggedAddresses", "Meta"))
for path, filters in (
        ("/v1/catalog/service/web", ('ServicePort == 80', 'ServicePort != 80', 'ServicePort == "80"', 'ServicePort == 80.0', 'ServicePort == 0x50',
                                     'ServicePort in 80', 'ServicePort is empty', 'ServicePort == 99999999999999999999', 'ServiceTags contains a',
                                     '"b c" in ServiceTags', 'a not in ServiceTags', 'ServiceTags is not empty', 'ServiceTags matches a',
                                     'ServiceEnableTagOverride == true', 'ServiceEnableTagOverride != true', 'ServiceEnableTagOverride == 1',
                                     'ServiceEnableTagOverride == maybe', 'ServiceWeights.Passing == 3', 'ServiceMeta.v == 1', 'ServiceMeta["k-2"] == z',
                                     'NodeMeta.rack == r1', 'ServiceProxy.DestinationServiceName is empty', 'ServiceConnect.Native == false',
                                     'ServiceKind == ""', 'ServiceKind is empty', 'ServiceAddress == "1.2.3.4"', 'ServiceTaggedAddresses is empty',
                                     'Checks is empty', 'Node.Node == f1')),
        ("/v1/health/service/web", ('Checks is empty', 'Checks.Name == c1', 'Checks.Status != passing', 'Checks.Status == warning',
                                    'any Checks == 1', 'Service.Tags contains a', 'Service.Port == 81', 'Node.Meta.rack == r1',
                                    'Service.Weights.Warning == 2', 'Service.Meta.v == 1', 'Checks.ServiceTags contains a', 'Node == f1',
                                    'Checks.Notes contains q', 'Service.Proxy.MeshGateway.Mode is empty', 'Service.Connect.Native == true')),
        ("/v1/health/node/f1", ('Status == warning', 'ServiceID == w1', 'ServiceTags contains a', 'Notes == "n \\"q\\""', 'Output matches out',
                                'CheckID == c1', 'Name != c1', 'Type is empty', 'Definition.HTTP is empty', 'Node == f1')),
        ("/v1/health/checks/web", ('Status == warning', 'ServiceName == web', 'Nope == 1')),
        ("/v1/catalog/node/f1", ('Service == web', 'Port == 80', 'Tags contains a', 'Weights.Passing == 3', 'ID == w2', 'Meta.v == 1')),
        ("/v1/agent/services", ('Service == own', 'Port == 7', 'Tags contains t', 'Meta.m == 1', 'ID != own1', 'Kind is empty', 'Nope == 1')),
        ("/v1/agent/checks", ('Status == passing', 'ServiceID == own1', 'ServiceName == x', 'Nope == 1'))):
    for text in filters:
        get(path + "?filter=" + quote(text), loose=("Output", "TaggedAddresses"))
# What does not parse: muster says where.
for text in ("(", "Node ==", "Node", "== f1", "Node f1", "Node == f1 or", "Node == f1 f2", "Node = f1", 'Node == "f1', "Node == `f1", "and",
             "Node == f1)", "Node is full", "Node not f1", "Meta[rack] == 1", 'Node == "\\x"'):
    get("/v1/catalog/nodes?filter=" + quote(text))
