// What datapump needs in Azure beside its databases: the Service Bus namespace with the declared topology, an identity for each
// service with the smallest rights, the vault, private endpoints, and logs of who did what. Needs the right to assign roles.
targetScope = 'resourceGroup'

@description('Beginning of every name, such as datapump-prod. The namespace and the vault are called exactly so.')
@minLength(6)
@maxLength(24)
param name string

@description('Region of everything here.')
param location string = resourceGroup().location

@description('Subnet of the private endpoints; its addresses belong into stores.yaml of the overlay.')
param endpointSubnetId string

@description('Private DNS zones that the endpoints register with: privatelink.servicebus.windows.net and privatelink.vaultcore.azure.net.')
param serviceBusZoneId string
param vaultZoneId string

@description('Log Analytics workspace of the diagnostic logs.')
param logWorkspaceId string

@description('OIDC issuer of the cluster: az aks show --query oidcIssuerProfile.issuerUrl')
param clusterIssuer string

@description('Namespace of the services in the cluster.')
param clusterNamespace string = 'datapump'

@description('Service account of the KEDA operator, <namespace>:<name>; that of the AKS add-on by default.')
param kedaServiceAccount string = 'kube-system:keda-operator'

@description('Messaging units of the namespace.')
@allowed([1, 2, 4, 8, 16])
param messagingUnits int = 1

@description('Names of the secrets that CSI mounts as files. Empty at the first deployment: a right to a secret needs the secret.')
param certificateSecrets array = []

var declared = loadJsonContent('bus.json')

module identities 'identities.bicep' = {
  name: 'identities'
  params: {
    name: name
    location: location
    services: declared.services
    clusterIssuer: clusterIssuer
    clusterNamespace: clusterNamespace
    kedaServiceAccount: kedaServiceAccount
  }
}

module bus 'bus.bicep' = {
  name: 'bus'
  params: {
    name: name
    location: location
    messagingUnits: messagingUnits
    topics: declared.topics
    subscriptions: declared.subscriptions
    senders: declared.senders
    receivers: declared.receivers
    services: declared.services
    principals: identities.outputs.principals
    readers: [identities.outputs.scalingPrincipal, identities.outputs.setUpPrincipal]
    endpointSubnetId: endpointSubnetId
    zoneId: serviceBusZoneId
    logWorkspaceId: logWorkspaceId
  }
}

module vault 'vault.bicep' = {
  name: 'vault'
  params: {
    name: name
    location: location
    principals: identities.outputs.principals
    certificatesPrincipal: identities.outputs.certificatesPrincipal
    certificateSecrets: certificateSecrets
    endpointSubnetId: endpointSubnetId
    zoneId: vaultZoneId
    logWorkspaceId: logWorkspaceId
  }
}

@description('What parameters.yaml of the overlay asks for.')
output parameters object = union(toObject(identities.outputs.clients, each => each.service, each => each.clientId), {
  scaling: identities.outputs.scalingClient
  certificates: identities.outputs.certificatesClient
  tenantId: tenant().tenantId
  vaultName: name
})
