"""The metadata service without a network: paths, tokens, options, refusals."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gureum.resources.instance import Instance
from gureum.services.imds import Metadata, Request, Response
from gureum.services.metadata import VERSIONS
from gureum.services.tokens import Tokens
from tests.conftest import Cloud
from tests.resources.test_instance import one, subnet

LIFETIME, TOKEN = "x-aws-ec2-metadata-token-ttl-seconds", "x-aws-ec2-metadata-token"
TAGS = [{"Key": "Name", "Value": "web"}, {"Key": "cost/centre", "Value": "42"}]


class Service:
    """The service of one cloud, as one of its instances meets it."""

    def __init__(self, cloud: Cloud, **more: Any) -> None:
        self.cloud = cloud
        self.now = 0.0
        self.ipv6 = False
        self._metadata = Metadata(Tokens(lambda: self.now))
        self.subnet = subnet(cloud)
        cloud.call("CreateKeyPair", KeyName="mine")
        self.id = str(self.launch(KeyName="mine", **more)["InstanceId"])

    def launch(self, **more: Any) -> dict[str, Any]:
        specifications = [{"ResourceType": "instance", "Tags": TAGS}]
        eni = {"DeviceIndex": 0, "SubnetId": self.subnet["SubnetId"]}
        return one(self.cloud, NetworkInterfaces=[eni], TagSpecifications=specifications, **more)

    def set_to(self, **options: Any) -> None:
        self.cloud.call("ModifyInstanceMetadataOptions", InstanceId=self.id, **options)

    def ask(self, path: str, method: str = "GET", key: str = "", **headers: str) -> Response:
        view = self.cloud.store.view
        row = view.find(Instance, key or self.id)
        assert row is not None
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._metadata.answer(view, row, Request(method, path, names), ipv6=self.ipv6)

    def token(self, seconds: str = "60", **more: str) -> Response:
        return self.ask("/latest/api/token", "PUT", **{LIFETIME: seconds}, **more)

    def read(self, path: str) -> str:
        """A category, asked for with a token."""
        said = self.ask(path, **{TOKEN: self.token().body.decode()})
        assert said.status == 200, path
        return said.body.decode()


@pytest.fixture
def service(cloud: Cloud) -> Service:
    return Service(cloud)


def test_categories(service: Service, cloud: Cloud) -> None:
    row = cloud.store.view.find(Instance, service.id)
    assert row is not None
    shown = cloud.call("DescribeInstances", InstanceIds=[row.id])["Reservations"][0]
    item = shown["Instances"][0]
    mac = item["NetworkInterfaces"][0]["MacAddress"]
    base = f"network/interfaces/macs/{mac}"
    wanted = {
        "ami-id": item["ImageId"],
        "ami-launch-index": "0",
        "block-device-mapping/root": item["RootDeviceName"],
        "hostname": item["PrivateDnsName"],
        "instance-id": row.id,
        "instance-life-cycle": "on-demand",
        "instance-type": "t3.micro",
        "local-hostname": item["PrivateDnsName"],
        "local-ipv4": item["PrivateIpAddress"],
        "mac": mac,
        "placement/availability-zone": item["Placement"]["AvailabilityZone"],
        "placement/availability-zone-id": item["Placement"]["AvailabilityZoneId"],
        "placement/region": "ap-northeast-2",
        "reservation-id": shown["ReservationId"],
        "security-groups": "default",
        "services/domain": "amazonaws.com",
        "services/partition": "aws",
        "public-keys/": "0=mine",
        "public-keys/0/": "openssh-key",
        "network/interfaces/macs/": f"{mac}/",
        f"{base}/device-number": "0",
        f"{base}/interface-id": item["NetworkInterfaces"][0]["NetworkInterfaceId"],
        f"{base}/local-ipv4s": item["PrivateIpAddress"],
        f"{base}/owner-id": cloud.account,
        f"{base}/security-group-ids": item["SecurityGroups"][0]["GroupId"],
        f"{base}/subnet-ipv4-cidr-block": "10.0.1.0/24",
        f"{base}/vpc-id": item["VpcId"],
        f"{base}/vpc-ipv4-cidr-blocks": "10.0.0.0/16",
    }
    assert {path: service.read(f"/latest/meta-data/{path}") for path in wanted} == wanted


def test_every_listed_path_is_there(service: Service) -> None:
    """What a listing names is found, down to the last leaf."""
    service.set_to(InstanceMetadataTags="enabled", HttpTokens="optional")
    seen = []

    def walk(path: str) -> None:
        said = service.ask(path)
        assert said.status == 200, path
        seen.append(path)
        if path.endswith("/"):
            for name in said.body.decode().split("\n"):
                walk(path + (name.partition("=")[0] + "/" if "=" in name else name))

    for name in ("meta-data", "dynamic"):
        assert name in service.ask("/latest/").body.decode().split("\n")
        walk(f"/latest/{name}/")
    assert len(seen) > 40
    assert "/latest/dynamic/instance-identity/document" in seen
    assert "/latest/meta-data/public-keys/0/openssh-key" in seen
    assert "/latest/meta-data/tags/instance/cost/centre" in seen


def test_versions(service: Service) -> None:
    service.set_to(HttpTokens="optional")
    assert service.ask("/").body.decode().split("\n") == list(VERSIONS)
    for version in VERSIONS:
        assert service.ask(f"/{version}/meta-data/instance-id").body.decode() == service.id
    assert service.ask("/2031-01-01/meta-data/instance-id").status == 404


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/latest/nothing", "/latest/meta-data/nothing", "/latest/meta-data/iam/",
     "/latest/meta-data/mac/more", "/latest/meta-data/public-ipv4", "/latest/user-data",
     "/latest/meta-data/tags/instance/Name", "/latest/dynamic/instance-identity/pkcs7",
     "/latest/meta-data/../user-data", "/latest/meta-data/%2e%2e"],
)  # fmt: skip
def test_what_is_not_there(service: Service, path: str) -> None:
    service.set_to(HttpTokens="optional")
    assert service.ask(path).status == 404


def test_user_data_comes_as_it_was_given(cloud: Cloud) -> None:
    raw = b"\x1f\x8b\0binary\xff"
    service = Service(cloud, UserData=base64.b64encode(raw).decode())
    service.set_to(HttpTokens="optional")
    said = service.ask("/latest/user-data")
    assert (said.status, said.body) == (200, raw)
    assert service.ask("/latest/").body == b"dynamic\nmeta-data\nuser-data"


def test_the_identity_document(service: Service, cloud: Cloud) -> None:
    said = json.loads(service.read("/latest/dynamic/instance-identity/document"))
    assert said["accountId"] == cloud.account
    assert said["instanceId"] == service.id
    assert said["region"] == "ap-northeast-2"
    assert said["version"] == "2017-09-30"


@pytest.mark.parametrize(
    ("seconds", "status"),
    [("1", 200), ("21600", 200), ("0", 400), ("21601", 400), ("", 400), ("-1", 400),
     ("1.5", 400), ("ten", 400), ("9" * 5000, 400), ("\u0661", 400)],
)  # fmt: skip
def test_how_long_a_token_may_live(service: Service, seconds: str, status: int) -> None:
    assert service.token(seconds).status == status


def test_a_token_ends(service: Service) -> None:
    made = service.token("60")
    assert made.headers[LIFETIME] == "60"
    path, key = "/latest/meta-data/instance-id", made.body.decode()
    service.now = 10
    said = service.ask(path, **{TOKEN: key})
    assert (said.status, said.headers[LIFETIME]) == (200, "50")
    service.now = 60
    assert service.ask(path, **{TOKEN: key}).status == 401


def test_what_a_put_may_not(service: Service) -> None:
    assert service.token(**{"x-forwarded-for": "10.0.0.1"}).status == 403
    assert service.ask("/2021-07-15/api/token", "PUT", **{LIFETIME: "60"}).status == 403
    assert service.ask("/latest/meta-data/", "PUT", **{LIFETIME: "60"}).status == 403
    assert service.ask("/latest/api/token", "PUT").status == 400
    assert service.ask("/latest/api/token").status == 405
    assert service.ask("/latest/meta-data/", "POST").status == 405
    assert service.ask("/latest/meta-data/", "DELETE").status == 405


def test_answers_to_a_put_go_so_many_hops(service: Service) -> None:
    service.set_to(HttpPutResponseHopLimit=3)
    assert service.token().hop_limit == 3
    assert service.token("no").hop_limit == 3
    assert service.ask("/latest/meta-data/").hop_limit is None


def test_options(service: Service) -> None:
    path = "/latest/meta-data/instance-id"
    assert service.ask(path).status == 401, "required is what new instances have"
    service.set_to(HttpTokens="optional")
    assert service.ask(path).status == 200
    assert service.ask(path, **{TOKEN: "guessed"}).status == 401
    service.set_to(HttpEndpoint="disabled")
    assert service.ask(path).status == 403
    assert service.token().status == 403


def test_ipv6_has_an_endpoint_of_its_own(service: Service) -> None:
    path = "/latest/meta-data/instance-id"
    service.set_to(HttpTokens="optional")
    service.ipv6 = True
    assert service.ask(path).status == 403, "disabled is what new instances have"
    service.set_to(HttpProtocolIpv6="enabled")
    assert service.ask(path).status == 200
    service.set_to(HttpEndpoint="disabled")
    assert service.ask(path).status == 403


def test_options_are_pending_and_then_applied(service: Service, cloud: Cloud) -> None:
    said = cloud.call("ModifyInstanceMetadataOptions", InstanceId=service.id, HttpTokens="optional")
    assert said["InstanceMetadataOptions"]["State"] == "pending"
    shown = cloud.call("DescribeInstances", InstanceIds=[service.id])["Reservations"][0]
    assert shown["Instances"][0]["MetadataOptions"]["State"] == "applied"


def test_a_token_is_good_in_one_instance_and_one_boot(service: Service) -> None:
    other = str(service.launch()["InstanceId"])
    key = service.token().body.decode()
    path = "/latest/meta-data/instance-id"
    assert service.ask(path, **{TOKEN: key}).status == 200
    assert service.ask(path, key=other, **{TOKEN: key}).status == 401


def test_public_addresses(cloud: Cloud) -> None:
    service = Service(cloud)
    vpc = service.subnet["VpcId"]
    gateway = cloud.call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
    cloud.call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    cloud.call("ModifyVpcAttribute", VpcId=vpc, EnableDnsHostnames={"Value": True})
    address = cloud.call("AllocateAddress")
    cloud.call("AssociateAddress", AllocationId=address["AllocationId"], InstanceId=service.id)
    public = address["PublicIp"]
    assert service.read("/latest/meta-data/public-ipv4") == public
    assert service.read("/latest/meta-data/public-hostname").startswith("ec2-198-18-")
    mac, own = (service.read(f"/latest/meta-data/{name}") for name in ("mac", "local-ipv4"))
    path = f"/latest/meta-data/network/interfaces/macs/{mac}/ipv4-associations"
    assert service.read(f"{path}/") == public
    assert service.read(f"{path}/{public}") == own
