// The vault of the secrets: connection strings, the seals' key, what billers gave us. Opened by identities alone.
param name string
param location string
param principals array
param certificatesPrincipal string
param certificateSecrets array
param endpointSubnetId string
param zoneId string
param logWorkspaceId string

var secretsUser = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '4633458b-17de-408a-b874-0445c86b69e6')

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: name
  location: location
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    enablePurgeProtection: true
    softDeleteRetentionInDays: 90
    publicNetworkAccess: 'Disabled'
    networkAcls: {
      defaultAction: 'Deny'
      bypass: 'None'
    }
  }
}

// Every service reads its connection strings here, consumers the billers' secrets as well: which ones those are a profile says, so
// the right is to the vault and to reading alone.
resource reading 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (principal, index) in principals: {
  name: guid(vault.id, 'reads', string(index))
  scope: vault
  properties: {
    roleDefinitionId: secretsUser
    principalId: principal
    principalType: 'ServicePrincipal'
  }
}]

resource certificate 'Microsoft.KeyVault/vaults/secrets@2023-07-01' existing = [for secret in certificateSecrets: {
  parent: vault
  name: secret
}]

resource certificateReading 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (secret, index) in certificateSecrets: {
  name: guid(vault.id, 'certificates', secret)
  scope: certificate[index]
  properties: {
    roleDefinitionId: secretsUser
    principalId: certificatesPrincipal
    principalType: 'ServicePrincipal'
  }
}]

resource endpoint 'Microsoft.Network/privateEndpoints@2023-11-01' = {
  name: '${name}-vault'
  location: location
  properties: {
    subnet: {
      id: endpointSubnetId
    }
    privateLinkServiceConnections: [
      {
        name: 'vault'
        properties: {
          privateLinkServiceId: vault.id
          groupIds: ['vault']
        }
      }
    ]
  }
}

resource endpointNames 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2023-11-01' = {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: 'vault'
        properties: {
          privateDnsZoneId: zoneId
        }
      }
    ]
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'datapump'
  scope: vault
  properties: {
    workspaceId: logWorkspaceId
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}
