// A network made, paged through, waited for and deleted by the AWS SDK for JavaScript.
// The endpoint and the credentials come from the environment, as for any client.
// Prints one line of JSON: what the SDK saw.
import {
  AssociateRouteTableCommand, AttachInternetGatewayCommand, AuthorizeSecurityGroupIngressCommand,
  CreateInternetGatewayCommand, CreateNatGatewayCommand, CreateRouteCommand,
  CreateRouteTableCommand, CreateSecurityGroupCommand, CreateSubnetCommand, CreateVpcCommand,
  AllocateAddressCommand, DeleteInternetGatewayCommand, DeleteNatGatewayCommand,
  DeleteRouteTableCommand, DeleteSecurityGroupCommand, DeleteSubnetCommand, DeleteVpcCommand,
  DescribeImagesCommand, DescribeRouteTablesCommand, DescribeSecurityGroupsCommand,
  DetachInternetGatewayCommand, DisassociateRouteTableCommand, EC2Client, ReleaseAddressCommand,
  RunInstancesCommand, TerminateInstancesCommand, paginateDescribeSubnets,
  waitUntilInstanceRunning, waitUntilInstanceTerminated, waitUntilNatGatewayAvailable,
  waitUntilNatGatewayDeleted, waitUntilSubnetAvailable, waitUntilVpcAvailable,
} from "@aws-sdk/client-ec2";

const client = new EC2Client({ maxAttempts: 1 });
const send = (Command, input = {}) => client.send(new Command(input));
const until = { client, maxWaitTime: 40, minDelay: 1, maxDelay: 2 };
const refusal = async (Command, input) => {
  try {
    await send(Command, input);
  } catch (error) {
    return { name: error.name, status: error.$metadata.httpStatusCode };
  }
  throw new Error(`${Command.name} was not refused`);
};

// --- make ---------------------------------------------------------------------------------------
const name = "구름 <&>\r\n'\"";
const { Vpc: { VpcId } } = await send(CreateVpcCommand, {
  CidrBlock: "10.40.0.0/16",
  TagSpecifications: [{ ResourceType: "vpc", Tags: [{ Key: "Name", Value: name }] }],
});
await waitUntilVpcAvailable(until, { VpcIds: [VpcId] });
const subnets = [];
for (let number = 0; number < 12; number += 1) {
  const { Subnet } = await send(CreateSubnetCommand, { VpcId, CidrBlock: `10.40.${number}.0/24` });
  subnets.push(Subnet.SubnetId);
}
await waitUntilSubnetAvailable(until, { SubnetIds: subnets });
const { InternetGateway: { InternetGatewayId } } = await send(CreateInternetGatewayCommand);
await send(AttachInternetGatewayCommand, { InternetGatewayId, VpcId });
const { RouteTable: { RouteTableId } } = await send(CreateRouteTableCommand, { VpcId });
await send(CreateRouteCommand, {
  RouteTableId, DestinationCidrBlock: "0.0.0.0/0", GatewayId: InternetGatewayId,
});
const { AssociationId } = await send(AssociateRouteTableCommand, {
  RouteTableId, SubnetId: subnets[0],
});
const { AllocationId } = await send(AllocateAddressCommand, { Domain: "vpc" });
const { NatGateway: { NatGatewayId } } = await send(CreateNatGatewayCommand, {
  SubnetId: subnets[0], AllocationId,
});
const nat = { NatGatewayIds: [NatGatewayId] };
await waitUntilNatGatewayAvailable(until, nat);
const { GroupId } = await send(CreateSecurityGroupCommand, {
  GroupName: "web", Description: "Web servers", VpcId,
});
const web = {
  GroupId,
  IpPermissions: [{
    IpProtocol: "tcp", FromPort: 80, ToPort: 80,
    IpRanges: [{ CidrIp: "0.0.0.0/0", Description: "anybody" }],
  }],
};
await send(AuthorizeSecurityGroupIngressCommand, web);
const { Images } = await send(DescribeImagesCommand, {
  Filters: [{ Name: "name", Values: ["gureum-base-*"] }],
});
const { Instances: [{ InstanceId }] } = await send(RunInstancesCommand, {
  ImageId: Images[0].ImageId, InstanceType: "t3.nano", MinCount: 1, MaxCount: 1,
  SubnetId: subnets[0], SecurityGroupIds: [GroupId],
});
const instance = { InstanceIds: [InstanceId] };
await waitUntilInstanceRunning(until, instance);

// --- look ---------------------------------------------------------------------------------------
const pages = [];
const filter = { Filters: [{ Name: "vpc-id", Values: [VpcId] }] };
for await (const page of paginateDescribeSubnets({ client, pageSize: 5 }, filter)) {
  pages.push(page.Subnets.map((each) => each.SubnetId));
}
const { RouteTables: [table] } = await send(DescribeRouteTablesCommand, {
  RouteTableIds: [RouteTableId],
});
const { SecurityGroups: [group] } = await send(DescribeSecurityGroupsCommand, {
  GroupIds: [GroupId],
});
const { Vpcs: [{ Tags }] } = await waitUntilVpcAvailable(until, { VpcIds: [VpcId] })
  .then((done) => done.reason);
const seen = {
  name: Tags[0].Value === name,
  pages: pages.map((page) => page.length),
  all: pages.flat().sort().join() === [...subnets].sort().join(),
  routes: table.Routes.map((each) => [each.DestinationCidrBlock, each.State]),
  rule: group.IpPermissions[0].IpRanges[0],
  refused: {
    twice: await refusal(AuthorizeSecurityGroupIngressCommand, web),
    full: await refusal(DeleteVpcCommand, { VpcId }),
    unknown: await refusal(DeleteSubnetCommand, { SubnetId: "subnet-00000000000000000" }),
  },
};

// --- delete -------------------------------------------------------------------------------------
await send(TerminateInstancesCommand, instance);
await send(DeleteNatGatewayCommand, { NatGatewayId });
await waitUntilInstanceTerminated(until, instance);
await waitUntilNatGatewayDeleted(until, nat);
await send(ReleaseAddressCommand, { AllocationId });
await send(DisassociateRouteTableCommand, { AssociationId });
await send(DeleteRouteTableCommand, { RouteTableId });
await send(DeleteSecurityGroupCommand, { GroupId });
for (const SubnetId of subnets) await send(DeleteSubnetCommand, { SubnetId });
await send(DetachInternetGatewayCommand, { InternetGatewayId, VpcId });
await send(DeleteInternetGatewayCommand, { InternetGatewayId });
await send(DeleteVpcCommand, { VpcId });
console.log(JSON.stringify(seen));
